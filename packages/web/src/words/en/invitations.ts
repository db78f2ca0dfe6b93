/** Invitations in the list. */
export const invitations = {
  region: "Invitation",
  list: "Invitations",
  fewer: "Show fewer",
  all: (count: number) => `Show all ${count}`,
  invites: "invites you",
  asks: "asks you to go on in a new group",
  withOne: (who: string) => `, with ${who}`,
  withOthers: (count: number) => `, with ${count} others`,
  somebody: "Somebody",
}
