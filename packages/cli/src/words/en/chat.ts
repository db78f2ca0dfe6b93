/** Conversations by their titles. `who`: the profile's name. */
export const conversations = {
  several: (who: string, count: number, called: string, ids: string) =>
    `${who} has ${count} conversations called "${called}"; use an id: ${ids}`,
  onlyInvitations: (who: string, called: string, waiting: number) =>
    `${who} has no conversation "${called}", but ${waiting === 1 ? "an invitation" : `${waiting} invitations`} ` +
    `without an answer: /accept in conclave chat --as ${who}, or --accept-invitations`,
  none: (who: string, called: string, others: string, remedy: string) =>
    `${who} has no conversation "${called}"${others === "" ? "" : `, but ${others}`}; ${remedy}`,
  /** `called`: where it can be typed as it is. */
  make: (who: string, called: string | undefined) =>
    called === undefined
      ? "/new in conclave chat makes one"
      : `to make it: echo "/new ${called} NAME" | conclave chat --as ${who}`,
  aConversation: "a conversation",
  states: {
    creating: "creating",
    active: "active",
    invited: "invited",
    halted: "halted",
    recovering: "recovering",
    leaving: "leaving",
    left: "left",
    lost: "lost",
    stopped: "stopped",
    continued: "continued",
  },
}

export const people = {
  /** Where it is not known who did something. */
  somebody: "somebody",
  more: (count: number) => `${count} more`,
  marks: { "mixed scripts": "mixed scripts", "not a valid name": "not a valid name" },
  notAName: (given: string, fault: string) => `"${given}" is not a name: ${fault}`,
}

export const messages = {
  /** What happened, in sentences without full stops: `inEnglish` has what the SDK says. */
  event: (
    _event: import("@conclave/client/node").ToldEvent,
    _reader: import("@conclave/client/node").EventReader,
    inEnglish: () => readonly string[],
  ): readonly string[] => inEnglish(),
  notText: (_bytes: number, inEnglish: string) => inEnglish,
  title: (title: string) => `"${title}"`,
  charactersMore: (count: number) => `… and ${count} characters more: /whole`,
  seeInvitations: (line: string) => `${line}: see --accept-invitations, or /accept in conclave chat`,
  evidenceNotKept: (reason: string) => `The evidence could not be kept: ${reason}`,
  evidenceKept: (file: string) => `The evidence is kept; to check it: conclave verify-evidence ${file}`,
}

/** What the chat says. */
export const chat = {
  keptForLater: (reason: string) => `${reason}; what is written is kept and sent later`,
  thisIs: (who: string) => `This is ${who}. /help shows the commands.`,
  noInvitation: "no invitation waits for an answer",
  severalInvitations: "there are several invitations: say which by its number in /list",
  noSuchInvitation: (called: string) => `there is no invitation "${called}"; /list shows them`,
  answers: (number: number) => `/accept ${number} or /decline ${number}`,
  noSuchConversation: (called: string) => `there is no conversation "${called}"; /list shows them`,
  isInvitation: (answers: string) => `this is an invitation: ${answers}`,
  inNone: (answers: string | undefined) =>
    `you are in no conversation; ${
      answers === undefined ? "/new TITLE NAME… makes one" : `an invitation waits: ${answers}`
    }`,
  nothingCut: "no message was cut",
  noKey: (who: string) => `no key of ${who} waits for approval`,
  keyAccepted: (who: string) => `the new key of ${who} is accepted from here on`,
  noCommand: (name: string, like: string | undefined) =>
    `there is no command /${name}${like === undefined ? "" : `, did you mean /${like}?`}; /help shows them`,
  usage: (usage: string) => `usage: ${usage}`,
  tooManyWords: (usage: string) => `too many words; usage: ${usage}`,
  commandWaits: (command: string) => `${command} is kept and waits; what you type goes on`,
  waits: (what: string, reason: string) => `${what} is kept, and waits for ${reason}`,
  theMessage: "the message",
  theService: "the service",
  conversationNeeds: (label: string, advice: string) => `${label}: ${advice}`,
  notSent: (reason: string, label: string, advice: string) => `this is not sent: ${reason}. In ${label}, ${advice}`,
  delayed: (reason: string) => `${reason}; messages arrive with a delay`,
  promptDelayed: "delayed",
  promptOffline: "offline",
  promptBusy: (time: string) => `busy until ${time}`,
  promptWaiting: (count: number) => `${count} waiting`,
  adviceHalted: "/approve NAME or /remove NAME lets it go on",
  adviceRecovering: "a member has to let this device in again, or /restart goes on in a new group",
  adviceMissing: "the service does not show it; /restart goes on in a new group",
  adviceStopped: "/restart goes on in a new group",
  characters: (count: number) => `${count} characters`,
  lines: (count: number) => `${count} lines`,
}

/** What the commands of the chat say. */
export const typed = {
  declined: (who: string) => `you declined the invitation by ${who}`,
  notYourself: "to remove yourself, use /leave",
  notHere: (who: string) => `${who} is not in this conversation`,
  you: " (you)",
  devices: (count: number) => `, ${count} devices`,
  compare: (who: string) => `Compare with ${who}, by voice or in person:`,
  withWhom: "say with whom: /safety NAME",
  calledAlready: (label: string) => `it is called "${label}" already`,
  seenAsNow: (who: string) => `others see you as ${who}; /name TEXT changes that, /name - withdraws it`,
  seenAs: (who: string) => `others see you as ${who}`,
  notADisplayName: (given: string, fault: string) => `"${given}" is not a display name: ${fault}`,
  memberAlready: (who: string | undefined, added: number) =>
    `${who === undefined ? "you are" : `${who} is`} already a member${added > 0 ? `; devices added: ${added}` : ""}`,
  restartUsage: "usage: /restart [without NAME…]",
  restarted: (label: string, others: string) =>
    `a new group takes the place of ${label}; ${others === "" ? "nobody else is in it" : `asked to join: ${others}`}`,
  none: "There is no conversation yet: /new TITLE NAME… makes one.",
  invitations: (count: number) => `Invitations (${count}):`,
  moreInvitations: (count: number) => `  and ${count} more: they have the next numbers`,
  waits: "(waits)",
  nothingSaid: (label: string) => `nothing has been said in ${label} yet`,
  noTree: "there is no tree",
  moreLines: (count: number) => `and ${count} lines`,
  legend: { filled: "has a key", blank: "blank", renewed: (epoch: bigint) => `key made in this epoch (${epoch})` },
  blankLeaves: (count: number) => `${count} blank leaves`,
  sinceEpoch: (epoch: bigint) => `since epoch ${epoch}`,
  unknownTo: (leaves: string) => `unknown to leaf ${leaves}`,
  language: "I speak English from here on",
  noLanguage: (known: string) => `say which: /language ${known}`,
  anythingElse: "Anything else is sent to the conversation; a line that begins with // is sent with one /.",
  /** What may follow a command, and what it is for. */
  commands: {
    new: {
      usage: "TITLE [NAME…]",
      help: 'make a conversation and invite; quote a TITLE of several words: "our team"',
    },
    list: { usage: "", help: "show the conversations" },
    accept: { usage: "[NUMBER]", help: "enter a conversation that you are invited to" },
    decline: { usage: "[NUMBER]", help: "refuse an invitation: it is gone, and the members are told" },
    open: { usage: "NUMBER|TITLE", help: "talk in another conversation" },
    invite: { usage: "NAME…", help: "add members" },
    remove: { usage: "NAME…", help: "remove members: they read nothing more" },
    members: { usage: "", help: "show who is in the conversation" },
    safety: { usage: "[NAME]", help: "digits to compare by voice: they differ if there is a man in the middle" },
    tree: { usage: "", help: "draw the ratchet tree" },
    reinvite: {
      usage: "NAME…",
      help: "take members out and in again whose devices lost the conversation; others get an alarm",
    },
    restart: {
      usage: "[without NAME…]",
      help: "go on in a new group where nobody can write any more, after /open: the members are asked",
    },
    refresh: { usage: "", help: "renew your keys: keys stolen before are useless after that" },
    title: { usage: "TITLE", help: "rename the conversation" },
    name: { usage: "TEXT|-", help: "say what others see beside your name; -: nothing any more" },
    history: { usage: "", help: "show the last 20 messages" },
    whole: { usage: "", help: "show the last message that was cut, whole" },
    approve: { usage: "NAME", help: "accept the new key of somebody, after comparing" },
    leave: { usage: "", help: "ask to be removed from this conversation" },
    language: { usage: "de|en", help: "speak another language from here on" },
    help: { usage: "", help: "show this" },
    quit: { usage: "", help: "end (Ctrl-D too)" },
  },
}
