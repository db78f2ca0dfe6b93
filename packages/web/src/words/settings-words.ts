import type { Permission } from "../page/notifications.js"
import type { Theme } from "../page/settings.js"

export const settingsWords = {
  open: "Settings",
  title: "Settings",
  theme: "Appearance",
  themes: { system: "System", light: "Light", dark: "Dark" } satisfies Record<Theme, string>,
  notifications: "Notifications",
  notify: "Notify me of new messages",
  notifyHint:
    "While Conclave is open in this browser and you are looking at something else. Muted conversations are silent.",
  contents: "Show who wrote, and what",
  contentsHint: "Anybody who sees the screen can read it, and the system may keep it.",
  device: "This browser",
  forget: "Sign out and delete…",
  forgetHint: "Deletes your keys and messages from this browser.",
  close: "Done",
}

/** Why no notification can be shown; `undefined` where one can, or the user has not been asked. */
export function notificationProblem(permission: Permission): string | undefined {
  if (permission === "unsupported") return "This browser shows no notifications of this page."
  if (permission === "denied")
    return "This browser blocks notifications of this page. You can allow them in its settings for this address."
  return undefined
}

export const forgettingWords = {
  title: "Sign out and delete?",
  deleted: "Deleted from this browser, for good:",
  deletedItems: [
    "the keys of this device: nobody can use them again, you included",
    "every message, draft and list of this browser",
    "your name and the settings in it, and the files of the page",
  ],
  kept: "Not deleted:",
  keptItems: (name: string) => [
    "what the other members have received: it stays with them",
    `the name ${name} at the service, which stays taken, and your place in the conversations, until a member removes you`,
  ],
  keptItemsWithoutName: ["what the other members have received: it stays with them"],
  erase: (name: string) => `Also erase the name ${name} at the service`,
  eraseHint: "For all of your devices. You leave your conversations, and nobody can take the name again.",
  cancel: "Cancel",
  action: "Delete",
  erasing: "Erasing the name…",
}

export const forgottenWords = {
  doing: "Deleting",
  doingText: "Your keys and messages are being deleted from this browser.",
  done: "Deleted",
  doneText: "Nothing of Conclave is left in this browser.",
  partly: "Not everything is deleted",
  partlyText: (left: string) =>
    `This browser still has: ${left}. Close other tabs of this page, and clear the data of this address in the browser’s settings.`,
  again: "Start again",
}
