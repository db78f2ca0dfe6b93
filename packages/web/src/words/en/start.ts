/** What does not come at the start. */
export type Unreachable = "service" | "cryptography" | "other"

/** The screens on which the page begins, and on which it cannot go on. */
export const start = {
  unsuitable: "Conclave cannot run here",
  elsewhere: {
    title: "Conclave is open in another tab",
    reason: "Another tab is using your keys, and only one at a time may: two would use the same key twice.",
    remedy: "Close the other tab, and this one goes on by itself. Or let it rest there, and go on here.",
    here: "Use it here",
  },
  broken: {
    title: "Your profile cannot be opened",
    nothingDeleted:
      "This page has deleted nothing. Whoever clears the browser’s data, though, deletes the name and its keys with it.",
    again: "Try again",
  },
  chooseAgain: "Choose another name",
  nameTaken: (name: string) =>
    `The name ${name} is taken: choose another one. If it is yours, come back with your recovery key.`,
  keysGone: (name: string) =>
    `The keys of ${name} are no longer in this browser: its data was cleared. The name stays taken: come back with your recovery key, or choose another one.`,
  useRecovery: "Use my recovery key",
  insecure:
    "Browsers lend their cryptography to secure addresses only. Open this page by https, or on this machine as localhost.",
  incapable: "This browser lacks Web Locks, IndexedDB or WebAssembly. Any browser of the last years has them.",
  /** What is under way: a name that the service has is opened, another one is registered first. */
  opening: (name: string) => ({ title: `Opening ${name}`, text: "Finishing what was left half done." }),
  registering: (name: string) => ({ title: `Registering ${name}`, text: "Making keys and taking the name." }),
  slow: "This takes longer than it should. If it does not go on, close the other tabs of this page, and load it again.",
  /** `message`: what the client says of it, as a title. */
  unreachable: (_what: Unreachable, message: string) => message,
  /** After that title: when the page goes on. */
  waiting(name: string, isRegistered: boolean, what: Unreachable): string {
    const until = { service: "it does", cryptography: "it is there", other: "that has changed" }[what]
    return `${name} is ${isRegistered ? "opened" : "registered"} as soon as ${until}; this page asks every two seconds.`
  },
}

export const welcome = {
  title: "Conclave",
  lead: "Conversations that only their members can read.",
  name: "Your name",
  nameHint:
    "Without spaces. Others invite you by it, exactly as it is written here. It belongs to the first person who takes it, and cannot be changed.",
  displayName: "Display name",
  optional: "optional",
  displayHint: "Others see it beside your name. You can change it at any time.",
  take: "Take this name",
  note: "Your keys are made in this browser and stay in it. Clear its data, and what was said is gone; only a recovery key brings the name back.",
}

/** After everything has been deleted from this browser. */
export const forgotten = {
  doing: "Deleting",
  doingText: "Your keys and messages are being deleted from this browser.",
  done: "Deleted",
  doneText: "Nothing of Conclave is left in this browser.",
  partly: "Not everything is deleted",
  partlyText: (left: string) =>
    `This browser still has: ${left}. Close other tabs of this page, and clear the data of this address in the browser’s settings.`,
  again: "Start again",
}
