/** What a record is, as its key says. */
export interface RecordKind {
  /** For a person: `messages`. */
  readonly words: string
  /** Under which name its codec is exported beside `recordKindOf`; absent for a record of an MLS group. */
  readonly type?: string
  /** The id of the conversation in hexadecimal digits, where it belongs to one. */
  readonly conversation?: string
  /** Of a record of an MLS group: its key in the group. */
  readonly groupKey?: string
}

const whole: Readonly<Record<string, RecordKind>> = {
  profile: { words: "this device", type: "Profile" },
  "key-packages-due": { words: "a replacement of all key packages that waits", type: "KeyPackagesDue" },
  "key-packages-replaced": { words: "when all key packages were replaced", type: "KeyPackagesReplaced" },
  service: { words: "keys of the service", type: "PinnedService" },
  "strange-devices": { words: "devices of this person's name that no other one has endorsed", type: "Pins" },
}

/** By what the key begins with; what follows is a number, an id or a hidden name. */
const families: Readonly<Record<string, RecordKind>> = {
  event: { words: "events that the application has not acknowledged", type: "StoredEvent" },
  "key-package": { words: "key packages with their private keys", type: "StoredKeyPackage" },
  welcomed: { words: "commits by which this device came in with a key package of last resort", type: "Welcomed" },
  pin: { words: "pinned keys", type: "Pins" },
  revoked: { words: "revoked devices", type: "RevokedDevices" },
  recovery: { words: "recovery keys of names", type: "RecoveryKeys" },
  invitation: { words: "invitations", type: "StoredInvitation" },
  person: { words: "display names", type: "Person" },
}

/** By what follows the id of the conversation. */
const parts: Readonly<Record<string, RecordKind>> = {
  outline: { words: "outline of the tree", type: "OutlineHead" },
  unapproved: { words: "keys that the user has not approved", type: "Unapproved" },
  commit: { words: "commit that is being sent", type: "OutgoingCommit" },
  entrance: { words: "hash of the commit by which this device came in", type: "StoredEntrance" },
  knock: { words: "knock that waits for an answer, with private keys", type: "StoredKnock" },
  continuation: { words: "conversations before and after it", type: "Continuation" },
  "given-up": { words: "hashes of what the service refused for good", type: "GivenUp" },
}
const partFamilies: Readonly<Record<string, RecordKind>> = {
  outline: { words: "outline of the tree", type: "OutlineNodes" },
  interval: { words: "secrets of intervals", type: "StoredInterval" },
  chain: { words: "hashes of the last entries", type: "ChainPart" },
  kept: { words: "the last handshakes, with secrets of their intervals", type: "StoredHandshake" },
  wish: { words: "wishes that are not done yet", type: "Wish" },
  message: { words: "messages", type: "StoredMessage" },
}
const groups: Readonly<Record<string, string>> = { group: "MLS group" }

/** What is stored under a key of a profile; `undefined` for a key that no client makes. */
export function recordKindOf(key: string): RecordKind | undefined {
  const [family = "", id, part = "", ...rest] = key.split("/")
  if (id === undefined) return own(whole, family)
  if (id === "") return undefined
  if (family === "state" && part === "") return { words: "state", type: "ConversationState", conversation: id }
  if (family !== "conversation") return part === "" && rest.length === 0 ? own(families, family) : undefined
  if (rest.length === 0) return withConversation(own(parts, part), id)
  const words = own(groups, part)
  if (words !== undefined) return { words, conversation: id, groupKey: rest.join("/") }
  return rest.length === 1 ? withConversation(own(partFamilies, part), id) : undefined
}

const own = <T>(table: Readonly<Record<string, T>>, name: string): T | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined

const withConversation = (kind: RecordKind | undefined, conversation: string) => kind && { ...kind, conversation }
