/** What the user does with a conversation for themselves. */
export const keeping = {
  region: "For you",
  mute: "Mute",
  muted: "Muted",
  archive: "Archive",
  archived: "Archived",
  delete: "Delete",
  inList: "It is in the list again.",
  inArchive: "It is in the archive, below the list.",
  deleted: "The conversation is deleted.",
  mutedHint: "Messages here are not counted in the title of the page, and do not bring it back from the archive.",
  hint: "Only you see this. Messages of a muted conversation are not counted; an archived one comes back with the next message.",
  deleteTitle: (title: string) => `Delete “${title}”?`,
  deleteText:
    "It is shown no more, and neither is what was said so far, also if a member invites you again. Its sealed records stay in this browser until its data is cleared.",
}
