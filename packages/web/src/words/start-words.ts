/** What stands before the conversations: the screens on which the page begins, and on which it cannot go on. */
export const startWords = {
  unsuitable: "Conclave cannot run here",
  elsewhere: {
    title: "Open in another tab",
    reason: "Another tab is using your keys, and only one at a time may: two would use the same key twice.",
    remedy: "Close the other tab, and this one goes on by itself.",
  },
  broken: {
    title: "Your profile cannot be opened",
    nothingDeleted:
      "This page has deleted nothing. Whoever clears the browser’s data, though, deletes the name and its keys with it.",
    again: "Try again",
  },
  taken: "Another tab or the browser itself has taken the profile from this page.",
  chooseAgain: "Choose another name",
}

export const welcomeWords = {
  title: "Conclave",
  lead: "Conversations that only their members can read.",
  name: "Your name",
  nameHint:
    "Others invite you by it, exactly as it is written here. It belongs to the first person who takes it, and cannot be changed.",
  displayName: "Display name",
  optional: "optional",
  displayHint: "Others see it beside your name. You can change it at any time.",
  take: "Take this name",
  note: "Your keys are made in this browser and stay in it. Clear its data, and the name and what was said are gone.",
}

/** What is under way: a name that the service has is opened, another one is registered first. */
export function openingWords(name: string, registered: boolean): { readonly title: string; readonly text: string } {
  return registered
    ? { title: `Opening ${name}`, text: "Finishing what was left half done." }
    : { title: `Registering ${name}`, text: "Making keys and taking the name." }
}

/** After a title that says what is not as it should be: when the page goes on. */
export function waitingWords(name: string, registered: boolean, unreachable: string): string {
  const until = RESOLVED[unreachable] ?? "that has changed"
  return `${name} is ${registered ? "opened" : "registered"} as soon as ${until}; this page asks every two seconds.`
}

const RESOLVED: Readonly<Record<string, string>> = {
  "The service does not answer": "it does",
  "The cryptography of this page cannot be loaded": "it is there",
}

export const takenWords = (name: string): string => `Somebody else is called ${name} here. Choose another name.`
