import {
  bytes,
  conversation,
  count,
  flag,
  noConversation,
  someConversation,
  text,
  texts,
  time,
  word,
  wordList,
} from "./fields.js"
import { because, type EventReader, list, people, subject, theConversation, within } from "./reader.js"
import { eventKind } from "./table.js"
import { wishNames, wishWords } from "./wishes.js"

export const serviceNames = ["delivery", "auth"] as const
/** Whose word is not true. */
export const accusable = ["service", "member"] as const
/** Where a backup was restored, the key that this device knows has signed for that. */
export const serviceChanges = ["restored", "replaced"] as const
/** What became of a recovery key. `refused`: the directory shows one that nobody has signed who could. */
export const recoveryKeyChanges = ["made", "replaced", "refused"] as const
/** Why a wish or a call failed. */
export const clientErrorCodes = [
  ...["UNKNOWN_NAME", "NAME_TAKEN", "NO_KEY_PACKAGE", "KEY_CHANGED", "NOT_A_MEMBER", "TOO_LARGE", "REFUSED"],
  ...["LOST", "CONTINUED", "STORE_FAILED", "STORE_LOCKED", "WRONG_PROFILE", "UNAVAILABLE", "UPDATE", "CLOSED"],
  ...["REVOKED", "WRONG_CLOCK"],
] as const

/** What went wrong, what waits, and what has to be decided. */
export const troubleEvents = {
  keyChanged: eventKind({
    number: 8,
    fields: {
      conversation: someConversation,
      name: text,
      signatureKey: bytes,
      /** A device that was pinned before has signed for the new one. */
      endorsed: flag,
      /** The new key is pinned: it was endorsed, and the client's policy accepts that. */
      accepted: flag,
    },
    severity: "alarm",
    words({ name, endorsed, accepted }, reader) {
      if (name === reader.name) return ownKeyWords(name, endorsed, reader)
      const who = subject(name, reader)
      if (accepted) {
        return [
          `${who} added a device`,
          "One of their devices signed for it, so it was accepted",
          `The safety code has changed: compare it again${reader.how({ type: "compareSafetyCodes" })}`,
        ]
      }
      return [
        `${who} uses a new key`,
        endorsed
          ? "One of their devices signed for it"
          : "None of their devices signed for it: it is a new installation, or an attacker who impersonates them",
        `Ask ${who}, by voice or in person, before you approve it${reader.how({ type: "approveKey", name })}`,
      ]
    },
  }),

  recoveryKey: eventKind({
    number: 35,
    fields: { conversation: noConversation, name: text, change: word(recoveryKeyChanges) },
    severity: "alarm",
    words({ name, change }, reader) {
      if (change === "refused") {
        return [
          `The directory shows another recovery key of ${name === reader.name ? "your name" : reader.person(name)}`,
          "This device goes by what it knew before: somebody else made it, or the directory did",
        ]
      }
      return [
        `A recovery key was ${change} for your name`,
        "Whoever has it revokes every device of yours, and brings new ones",
        change === "made"
          ? "If you did not make it, a thief of your oldest device did: tell those you talk to, and take another name"
          : "If you did not replace it, somebody has the one before: tell those you talk to, and take another name",
      ]
    },
  }),

  returned: eventKind({
    number: 36,
    fields: { conversation: someConversation, name: text, signatureKey: bytes },
    severity: ({ name }, reader) => (name === reader.name ? "alarm" : "notice"),
    words: ({ name }, reader) =>
      name === reader.name
        ? [
            "A device came to your name with the recovery key",
            "If it is not yours, somebody has your recovery key: replace it, and revoke the device with it",
          ]
        : [
            `${subject(name, reader)} returned with their recovery key`,
            "The key that they keep apart from their devices signed for the new one, so it was accepted",
            `The safety code has changed: compare it again${reader.how({ type: "compareSafetyCodes" })}`,
          ],
  }),

  deviceRevoked: eventKind({
    number: 34,
    fields: {
      /** Out of which the device was taken; absent where this device learns that it was revoked. */
      conversation: someConversation,
      name: text,
      /** Of the revoked device. */
      signatureKey: bytes,
      /** With a conversation: the member who took it out; otherwise empty. */
      by: text,
    },
    severity: ({ name }, reader) => (name === reader.name && reader.conversation === undefined ? "alarm" : "notice"),
    words({ name, by }, reader) {
      if (reader.conversation !== undefined) {
        const whose = name === reader.name ? "of yours" : `of ${reader.person(name)}`
        const who = by === reader.name ? "Your device automatically" : subject(by, reader)
        return [`${who} took a revoked device ${whose} out of ${theConversation(reader)}`]
      }
      if (name !== reader.name) return [`${subject(name, reader)} revoked a device: it no longer speaks for them`]
      return [
        "A device of your name was revoked",
        "It is taken out of every conversation, and nobody invites it any more",
        "If it is this one, nothing works here any more but reading what is there",
      ]
    },
  }),

  failed: eventKind({
    number: 9,
    fields: { conversation, wish: word(wishNames), names: texts, code: word(clientErrorCodes), reason: text },
    severity: "warning",
    words({ wish, names, code, reason }, reader) {
      // Of several people, only some may be meant.
      const isOfSome = names.length > 1 && reason !== "" && (code === "UNKNOWN_NAME" || code === "NO_KEY_PACKAGE")
      const known = isOfSome ? undefined : failureReasons.get(code)
      const why = known ?? (reason === "" ? "the service refused" : reader.reason(reason))
      return [`${wishWords(wish).failed(names, reader)}: ${why}`]
    },
  }),

  rejected: eventKind({
    number: 10,
    fields: {
      conversation: someConversation,
      code: text,
      /** Of the first one, where there were several. */
      reason: text,
      /** How often it has happened since this event was new: the same again, until the event is read, is counted here. */
      count,
    },
    severity: ({ code }) => (alarmingCodes.has(code) ? "alarm" : "notice"),
    words: rejectedWords,
  }),

  halted: eventKind({
    number: 11,
    fields: { conversation, names: texts, reason: text },
    severity: "warning",
    words: ({ names, reason }, reader) => [
      `Nothing is sent in ${theConversation(reader)} until you decide about ${people(names, reader) || "its members"}`,
      ...because(reason, reader),
    ],
  }),

  recovered: eventKind({
    number: 12,
    fields: {
      conversation,
      reason: text,
      /** Who let this device in again; may be empty. */
      by: text,
    },
    severity: "notice",
    words: ({ reason, by }, reader) => [
      by === ""
        ? `This device lost its place in ${theConversation(reader)} and rejoined`
        : `${subject(by, reader)} let this device back into ${theConversation(reader)}, where it had lost its place`,
      "Messages sent in between are missing here",
      ...because(reason, reader),
    ],
  }),

  stuck: eventKind({
    number: 25,
    fields: {
      conversation,
      reason: text,
      /** This device asks the other members to let it in again, and one of their devices does when it is online. */
      canKnock: flag,
    },
    severity: "warning",
    words: ({ reason, canKnock }, reader) => [
      `This device cannot follow ${theConversation(reader)}`,
      ...because(reason, reader),
      canKnock
        ? "It has asked the other members to let it back in, which one of their devices does on its own"
        : "Ask a member to remove you and invite you again",
      `If nobody does, go on in a new group${reader.how({ type: "restart", without: "" })}`,
    ],
  }),

  copied: eventKind({
    number: 27,
    fields: { conversation, reason: text },
    severity: "alarm",
    words: ({ reason }, reader) => [
      `Somebody else acted as this device in ${theConversation(reader)}`,
      ...because(reason, reader),
      "If you put an older copy of this device back, all is well: it asks to be let in again",
      "If you did not, somebody has a copy of it: ask a member, by voice or in person, to remove you",
    ],
  }),

  contradicted: eventKind({
    number: 30,
    fields: {
      conversation,
      /** The member whose word it is; empty where the service has signed both itself. */
      by: text,
      /** Who has not told the truth, as far as the signatures say. */
      accused: word(accusable),
      reason: text,
      /** Where two signatures of the service contradict each other, for `verifyEvidence`; otherwise empty. */
      evidence: bytes,
    },
    severity: "alarm",
    words({ by, accused, reason, evidence }, reader) {
      const of = theConversation(reader)
      if (accused === "member") {
        return [
          `What ${by === "" ? "somebody" : reader.person(by)} has read of ${of} is not what this device has read`,
          ...because(reason, reader),
          "Their device is wrong about it, or lies, or talks to another service: compare safety codes with them",
        ]
      }
      return [
        `The service shows different members different things in ${of}`,
        ...because(reason, reader),
        evidence.length > 0
          ? "Its own signatures prove it to anybody: keep the evidence, and tell the others in another way"
          : "Tell the others in another way, and compare what you have read",
      ]
    },
  }),

  service: eventKind({
    number: 31,
    fields: { conversation: noConversation, change: word(serviceChanges), reason: text },
    severity: ({ change }) => (change === "restored" ? "warning" : "alarm"),
    words: ({ change, reason }, reader) =>
      change === "restored"
        ? [
            "The service was restored from a backup",
            "What it has lost, this device gives back where it can: for ten minutes, invitations and removals wait, and messages that are written after them",
          ]
        : [
            "The service is not the one that this device knows",
            ...because(reason, reader),
            "It was set up anew, or somebody is in its place: ask its operator, by voice or in person",
          ],
  }),

  stopped: eventKind({
    number: 26,
    fields: {
      conversation,
      /** The member whose commit it is; empty where nobody knows. */
      by: text,
      reason: text,
    },
    severity: "alarm",
    words: ({ by, reason }, reader) => [
      `Nobody can go on in ${theConversation(reader)}`,
      by === "" ? "Somebody in it has locked the others out" : `${subject(by, reader)} has locked the others out`,
      ...because(reason, reader),
      `Go on with those you trust in a new group${reader.how({ type: "restart", without: by })}`,
    ],
  }),

  lost: eventKind({
    number: 13,
    fields: { conversation, reason: text },
    severity: "warning",
    words: ({ reason }, reader) => [
      `This device lost ${theConversation(reader)}`,
      ...because(reason, reader),
      "Ask a member to remove you and invite you again",
    ],
  }),

  missing: eventKind({
    number: 14,
    fields: { conversation, reason: text },
    severity: "warning",
    words: ({ reason }, reader) => [
      `The service does not show ${theConversation(reader)} as it should`,
      "Nothing is lost: this device keeps it and asks again for a week",
      ...because(reason, reader),
      `If it does not come back, go on in a new group${reader.how({ type: "restart", without: "" })}`,
    ],
  }),

  retired: eventKind({
    number: 33,
    fields: { conversation, goneAt: time },
    severity: "warning",
    words: ({ goneAt }, reader) => [
      `A member has asked the service to delete ${theConversation(reader)} at ${reader.time(goneAt)}`,
      "What you have read stays on this device. To keep the conversation, send a message in it",
    ],
  }),

  erased: eventKind({
    number: 32,
    fields: { conversation: noConversation, name: text },
    severity: "alarm",
    words: ({ name }, reader) => [
      `The name ${reader.person(name)} was erased at the service, with all of its devices`,
      "Nobody can register it again. What this device has stays until its profile is deleted",
    ],
  }),

  deferred: eventKind({
    number: 15,
    fields: {
      conversation,
      /** What waits; empty for a commit that only lets members go who asked for it. */
      wishes: wordList(wishNames),
      reason: text,
      retryAt: time,
    },
    severity: "notice",
    words({ wishes, reason, retryAt }, reader) {
      const what = wishes.length === 0 ? "a change" : list([...new Set(wishes)].map((wish) => wishWords(wish).waiting))
      return [
        `The service did not take ${what}`,
        ...because(reason, reader),
        `This device tries again at ${reader.time(retryAt)}`,
      ]
    },
  }),

  throttled: eventKind({
    number: 18,
    fields: { conversation: noConversation, service: word(serviceNames), retryAt: time },
    severity: "notice",
    words: ({ retryAt }, reader) => [
      `The service is busy until ${reader.time(retryAt)}`,
      "What you write is kept and sent after that",
    ],
  }),

  update: eventKind({
    number: 19,
    fields: { conversation: noConversation, service: word(serviceNames), reason: text },
    severity: "alarm",
    words: ({ reason }, reader) => ["An update is needed", ...because(reason, reader)],
  }),

  unavailable: eventKind({
    number: 20,
    fields: { conversation: someConversation, reason: text },
    severity: (_, { conversation }) => (conversation === undefined ? "warning" : "notice"),
    words: ({ reason }, reader) => [
      `The service refuses requests that it used to accept${reader.conversation === undefined ? "" : ` for ${reader.conversation}`}`,
      ...because(reason, reader),
      "Nothing is given up: this device asks again",
      ...(reader.conversation === undefined ? ["If it lasts, contact the operator of the service"] : []),
    ],
  }),
}

function ownKeyWords(name: string, endorsed: boolean, reader: EventReader): readonly string[] {
  if (endorsed) {
    return [
      "You added a device",
      "One of your devices signed for it",
      "If that was not you, ask the members to remove you and invite you again",
    ]
  }
  return [
    "An unknown device uses your name",
    "None of your devices signed for it",
    `If it is yours, approve its key${reader.how({ type: "approveKey", name })}`,
    "If it is not, warn the people you talk with, by voice or in person",
  ]
}

const alarmingCodes: ReadonlySet<string> = new Set([
  ...["FALSE_ANSWER", "CANNOT_KNOCK"],
  ...["UNSIGNED", "WITHHELD", "FALSE_HEAD"],
])

function rejectedWords(
  { code, reason, count }: { readonly code: string; readonly reason: string; readonly count: number },
  reader: EventReader,
): readonly string[] {
  const where = within(reader)
  switch (code) {
    case "FALSE_ANSWER":
      return [
        `Somebody answered this device's request to come back into ${theConversation(reader)}, and not honestly`,
        ...because(reason, reader),
        "It was a member, or the service: compare safety codes when you are back",
      ]
    case "UNSIGNED":
      return [
        `The service does not sign what it shows of ${theConversation(reader)}`,
        ...because(reason, reader),
        "Until it does, nobody can prove what it has shown",
      ]
    case "WITHHELD":
      return [
        count === 1 ? `The service keeps a message${where} back` : `The service keeps ${count} messages${where} back`,
        ...because(reason, reader),
        "Ask the others, in another way, what was said",
      ]
    case "FALSE_HEAD":
      return [
        `Whoever invited you to ${theConversation(reader)} had read something else than the service shows you`,
        ...because(reason, reader),
        "One of them does not tell the truth: compare safety codes",
      ]
    case "CANNOT_KNOCK":
      return [
        `The service does not take this device's request to come back into ${theConversation(reader)}`,
        ...because(reason, reader),
        "This device asks again",
      ]
    case "TOO_MANY_INVITATIONS":
      return [
        count === 1 ? "An invitation was declined unseen" : `${count} invitations were declined unseen`,
        ...because(reason, reader),
        "To receive more, answer those that are waiting",
      ]
    case "PROPOSALS_DROPPED":
      return [`Requests of other members${where} were not carried out`, ...because(reason, reader)]
    default:
      return [
        count === 1
          ? `Something was refused and skipped${where}`
          : `${count} messages were refused and skipped${where}`,
        ...because(reason, reader, count === 1 ? "Reason" : "First reason"),
        ...(reader.conversation === undefined ? ["If you expect an invitation, ask for it again"] : []),
      ]
  }
}

const failureReasons: ReadonlyMap<string, string> = new Map([
  ["UNKNOWN_NAME", "nobody has that name"],
  ["NO_KEY_PACKAGE", "there are no keys left to add them with"],
  ["KEY_CHANGED", "there is a new key to look at first"],
  ["NOT_A_MEMBER", "you are no longer a member"],
  ["LOST", "this device lost the conversation"],
  ["REVOKED", "this device was revoked"],
  ["CONTINUED", "the conversation goes on in a new group"],
  ["TOO_LARGE", "it is too large"],
  ["WRONG_CLOCK", "their keys are not valid at the time of this device: its clock is wrong, or theirs is"],
])
