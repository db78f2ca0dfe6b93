import { sentence } from "../sentence.js"

/** `who`: whom it is about, in a sentence; may be empty. `message`: what the client says of it. */
interface About {
  readonly who: string
  readonly message: string
}

/** Why something that the user asked for did not work, and what to do. By the code of a `ClientError`. */
export const problems = {
  UNKNOWN_NAME: ({ message }: About) => `${sentence(message)} Ask them to open this address and to choose that name.`,
  NO_KEY_PACKAGE: ({ who }: About) =>
    `${who || "This person"} cannot be added at present, because no key to add them with is left. Once they open their page there will be new ones.`,
  NAME_TAKEN: () => "Somebody has this name already. Choose another one.",
  KEY_CHANGED: ({ who }: About) =>
    `${who || "This person"} speaks with a new key. Read the notice about it, then invite them again.`,
  NOT_A_MEMBER: () => "You are no longer a member of this conversation.",
  TOO_LARGE: () => "That is too long: a message has at most 64 KiB.",
  REFUSED: ({ message }: About) => `The service refused: ${message}.`,
  LOST: () => "This device has lost the conversation. A member has to remove you and invite you again.",
  CONTINUED: () => "This conversation goes on in a new group. You find it in the list.",
  UNAVAILABLE: ({ message }: About) => `${sentence(message)} Try again in a moment.`,
  UPDATE: ({ message }: About) => sentence(message),
  STORE_FAILED: ({ message }: About) =>
    `This browser did not store it: ${message}. Make room, or allow this page to keep data.`,
  STORE_LOCKED: () => "Another tab is using your keys.",
  WRONG_PROFILE: ({ message }: About) => sentence(message),
  REVOKED: () => "Another device of your name has revoked this one. What is here stays, and nothing new comes.",
  WRONG_CLOCK: ({ who }: About) =>
    `The keys of ${who || "this person"} are not valid at the time that this device shows. Set its clock right; if it is, theirs is wrong.`,
  CLOSED: () => "The page has let go of its profile. Reload it.",
  /** What has no code. */
  other: ({ message }: About) => sentence(message),
}

/** Why a message was not sent. */
export const failures = {
  left: "Not sent: you are no longer a member.",
  lost: "Not sent: this device has lost the conversation.",
  continued: "Not sent: the conversation goes on in a new group.",
  refused: "Not sent: the service refused it.",
  because: (why: string) => `Not sent: ${why}`,
}
