import type { LinkWarning } from "./links.js"
import { dayName } from "./time.js"
import { isolated, shownTitle } from "./words.js"

/** What stands on the page around messages. */
export const messageWords = {
  region: "Messages",
  you: "You",
  sent: "Sent",
  sending: "Sending…",
  waiting: "Not sent yet",
  edit: "Edit and send again",
  discard: "Discard",
  newMessages: "New messages",
  loading: "Loading…",
  loadingFailed: "These messages could not be read on this device.",
  again: "Try again",
  invisible: "Nothing in this message can be seen.",
  showAll: "Show all of it",
  showLess: "Show less",
  latest: "Latest",
  latestFull: " messages: go to the end",
  unreadAbove: "New messages",
  unreadAboveFull: ": go to the first one",
  actions: "Message actions",
  copy: "Copy text",
  copied: "Copied.",
  copyFailed: "The browser did not let the page copy it.",
  unblock: "Unblock",
  nobody: "Nobody else is here yet.",
  invite: "Invite somebody",
  inviteAfter: " by name; they read what is written from then on.",
  encrypted:
    "Messages are encrypted on this device, and only members can read them. To be sure of who they are, compare safety codes in the group panel.",
  goToDay: "Go to a day",
  day: "Day",
  cancel: "Cancel",
  go: "Go there",
  noneSince: "No message on this device is from that day or later.",
  noDay: "Choose a day.",
  messageTo: (title: string) => `Message to ${title}`,
  write: "Write a message",
  send: "Send",
  noFiles: "Files and pictures cannot be sent here yet.",
  lookAgain: (who: string) => `Look at the new key of ${who} again`,
}

export function dayButtonWords(at: Date): string {
  return `${dayName(at)}: go to another day`
}

/** The pill above the end: how much is new below. */
export function newWords(count: number): { readonly short: string; readonly full: string } {
  if (count === 0) return { short: messageWords.latest, full: messageWords.latestFull }
  return { short: `${count} new`, full: `${count === 1 ? " message" : " messages"}: go to the end` }
}

export function blockedWords(count: number, who: string): string {
  return `${count === 1 ? "A message" : `${count} messages`} of ${who}, whom you have blocked.`
}

/** Why a link has to be looked at before it is followed. */
export function linkWarningWords(warning: LinkWarning, host: string): string {
  if (warning.code === "userinfo") return `leads to ${host}`
  const isPlain = /^[\x21-\x7e]*$/.test(warning.typed)
  return isPlain ? "letters of other alphabets" : `not all plain letters: ${isolated(shownTitle(warning.typed))}`
}

export function copyLinkWords(host: string): string {
  return `Copy the link to ${host}`
}

export const composerWords = {
  left: "You are no longer a member: you read nothing that comes after this, and can write nothing. A member can invite you again.",
  leaving: "You are leaving. It is done when another member’s device has carried it out.",
  lost: "This device has lost the conversation. Ask a member to remove you and to invite you again.",
  continued: "This conversation goes on in a new group.",
  halted: "A new key came in: nothing that you write is sent until you have decided about it, or its owner is removed.",
  invited: "You are invited: nothing can be written before you have come in.",
}

export const chatWords = {
  conversation: "Conversation",
  all: "All conversations",
  noMember: "No longer a member",
  onlyYou: "Only you",
  you: "You",
  find: "Find in this conversation",
  youAre: (who: string) => `You are ${who}`,
  begin: (name: string) =>
    `Create a conversation on the left, or give others your name, ${name}, so that they can add you to theirs.`,
  choose: "Choose a conversation on the left, or create a new one.",
}
