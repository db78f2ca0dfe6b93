/** The recovery key: making it, and what the name has. */
export const recovery = {
  title: "Recovery key",
  text: "A key on paper that no device has. It revokes any device of your name, the oldest too, and brings you back when all of them are lost or stolen.",
  has: "Your name has a recovery key.",
  hasText: (name: string) =>
    `To come back with it, open this page in the new browser, type the name ${name}, and choose “Use my recovery key”. Anybody who has the key has your name: if somebody else may have seen it, replace it.`,
  hasNone: "Your name has none. Make it before you need it: afterwards it is too late.",
  notOldest: "Only the oldest of your devices can make one.",
  make: "Make a recovery key",
  replace: "Replace it",
  replaceTitle: "Replace the recovery key",
  before: "The recovery key that you have",
  beforeHint: "36 digits and letters, as you wrote them down.",
  next: "Go on",
  write:
    "Write these nine groups down, or print them, and keep the paper apart from your devices. They are shown only now, and nothing keeps a copy.",
  key: "Recovery key",
  sheetTitle: (name: string) => `Conclave: recovery key of ${name}`,
  sheetText: (address: string) =>
    `At ${address}. Whoever has this has the name. Keep it apart from all devices, and show it to nobody.`,
  print: "Print",
  written: "I have it on paper",
  check: "To be sure that it can be read, type three of the groups from your paper. The key holds after that.",
  group: (number: number) => `Group ${number}`,
  wrong: (numbers: string) => `This is not what was shown: group ${numbers}. Look at your paper.`,
  again: "Show it again",
  set: "Make it my recovery key",
  setting: "Setting it…",
  notAccepted: "The service did not take it. Is what you typed the recovery key of your name?",
  notAKey: "That is not a recovery key: a digit or letter is wrong, or missing.",
  /** At the start of a browser that has no keys of the name. */
  comeback: {
    title: (name: string) => `Come back as ${name}`,
    device:
      "This browser becomes a new device of your name. The people you write with are told that you came back with the recovery key, and have to compare codes with you again.",
    conversations:
      "Your conversations and what was said in them are not here. A member of each has to invite you again, once your lost device is out of it.",
    devices:
      "Your other devices are unknown to this one. You see them afterwards under “You”, where the recovery key revokes what is lost or stolen.",
    revoke: "All my other devices are lost: revoke them",
    revokeHint: "Members take them out of your conversations, and can invite you again then. This cannot be undone.",
    key: "Your recovery key",
    /** By how far it has come. */
    action: { asking: "Come back", opening: "Coming back…", revoking: "Revoking…", back: "Go on revoking" },
    isBack: (name: string) => `You are back as ${name}.`,
    noneRevoked: "Your other devices are not revoked yet.",
    revoked: (revoked: number, all: number) =>
      `Of your other devices, ${revoked} of ${all} ${revoked === 1 ? "is" : "are"} revoked, as far as the service has answered.`,
    look: "Look at my devices",
  },
  done: "It is the recovery key of your name now. Your other devices are told.",
}
