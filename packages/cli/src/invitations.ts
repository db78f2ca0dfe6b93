import type { Client, ClientPolicy, Conversation } from "@conclave/client/node"
import { optional } from "./arguments.js"
import { UsageError } from "./failure.js"
import { name } from "./options.js"
import type { People } from "./people.js"
import { eventLine, terminalReader } from "./reader.js"
import { words } from "./words/words.js"

/** Whose invitations a command accepts without a person who could be asked. */
export type AcceptedInviters = "all" | "known" | "none" | readonly string[]

const INVITERS_MAX = 100
/** Words with a meaning of their own, which are not names of inviters. */
const WORDS: readonly string[] = ["all", "known", "none"]

/** For commands that run without a person. */
export const acceptOption = optional({
  placeholder: "WHO",
  read: acceptedInviters,
})

export function acceptedInviters(text: string): AcceptedInviters {
  if (text === "all" || text === "known" || text === "none") return text
  const names = text.split(",")
  const word = names.map((one) => one.trim().toLowerCase()).find((one) => WORDS.includes(one))
  if (word !== undefined) {
    const { inviterAmongNames, inviterAsWritten } = words().values
    throw new UsageError(names.length > 1 ? inviterAmongNames(word) : inviterAsWritten(word))
  }
  if (names.length > INVITERS_MAX) throw new UsageError(words().values.inviters(INVITERS_MAX))
  return names.map(name)
}

/** The client's policy: an invitation that is not accepted waits for the person. `opened` resolves with the client. */
export function invitationPolicy(
  accepted: AcceptedInviters,
  opened: Promise<Pick<Client, "conversations">>,
): ClientPolicy["invitations"] {
  if (accepted === "all") return "accept"
  if (accepted === "none") return "ask"
  return async ({ by }) => (isAccepted(by, accepted, await opened) ? "accept" : "ask")
}

/** Enters those conversations whose invitations have waited for an answer, as far as `accepted` gives it. */
export async function acceptWaiting(client: Pick<Client, "conversations">, accepted: AcceptedInviters): Promise<void> {
  for (const conversation of waitingInvitations(client)) {
    // What takes the place of another conversation is for a person to decide.
    if (conversation.invitedToContinue !== undefined) continue
    if (isAccepted(conversation.invitedBy ?? "", accepted, client)) await conversation.accept()
  }
}

export function waitingInvitations({ conversations }: Pick<Client, "conversations">): readonly Conversation[] {
  return [...conversations.values()].filter(({ status }) => status === "invited")
}

function isAccepted(by: string, accepted: AcceptedInviters, { conversations }: Pick<Client, "conversations">): boolean {
  if (accepted === "all" || accepted === "none") return accepted === "all"
  if (accepted !== "known") return accepted.includes(by)
  return [...conversations.values()].some(({ status, members }) => status !== "invited" && members.includes(by))
}

type Drawn = Pick<Conversation, "invitedBy" | "members" | "invitedToContinue">

/** Who asks, and who is in it: nothing that the inviter has written. */
export function drawInvitation(
  { invitedBy: by = "", members, invitedToContinue: continues }: Drawn,
  people: People,
): string {
  return eventLine({ type: "invited", by, members, continues }, terminalReader(people))
}
