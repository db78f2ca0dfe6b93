/** What the user chooses for this browser. */
export const settings = {
  title: "Settings",
  theme: "Appearance",
  themes: { system: "System", light: "Light", dark: "Dark" },
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
  language: "Language",
  languages: { system: "System", en: "English", de: "Deutsch" },
  languageMissing: "This language did not load. The page keeps the one it has.",
  /** Why no notification can be shown. */
  unsupported: "This browser shows no notifications of this page.",
  denied: "This browser blocks notifications of this page. You can allow them in its settings for this address.",
}

/** Before everything is deleted from this browser. */
export const forgetting = {
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
