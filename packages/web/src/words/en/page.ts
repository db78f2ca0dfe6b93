export const version = {
  newer: "A new version of Conclave is ready. It starts when you open the page the next time.",
  use: "Start it now",
}

/** In the place of a view whose file did not come. */
export const part = {
  missing: "This part of the page did not load. Nothing is lost.",
  reload: "Load the page again",
}

export const page = {
  close: "Close",
  cancel: "Cancel",
  filesRefused: "Files cannot be sent yet. What you dropped or pasted was not sent, and stays where it is.",
  notKept: (fault: string) => `This browser does not keep what the page is told: ${fault}. Make room before you go on.`,
  full: "There is no room left in this browser: what you write and what comes is not kept. Make room, and it goes on by itself.",
  taken: "Another tab or the browser itself has taken the profile from this page.",
  declined: (who: string) => `You declined the invitation by ${who}.`,
  restarted: "You go on in a new group. The others are asked.",
  newMessage: "You have a new message.",
  messageIn: (who: string, title: string) => `${who} in ${title}`,
}

/** How news come. */
export const line = {
  connected: "Connected",
  polling: "Connected, delayed",
  offline: "Offline, trying again",
  connecting: "Connecting",
  tryNow: "Try now",
  trying: "Trying…",
  delayed: (why: string) => `${why}; messages arrive with a delay.`,
  upgradeDropped: "The proxy does not pass WebSockets",
  streamRefused: (origin: string) => `The service allows pages of ${origin} no stream, which its operator can change`,
  streamBreaks: "No stream to the service stays open",
  noStream: (reason: string) => `No stream to the service opens (${reason})`,
  originRefused: (origin: string) => `The service refuses pages of ${origin}: its operator has to allow that.`,
  unavailable: "The service is not available at the moment.",
  unreachable: "The service cannot be reached.",
  kept: "What you write is kept on this device, and is sent as soon as it can be.",
}

/** Making a conversation. */
export const creation = {
  title: "New conversation",
  name: "Title",
  people: "People",
  hint: "Names as they have registered here, separated by commas. You can invite more at any time. Only members learn the title.",
  create: "Create",
  creating: "Creating…",
}
