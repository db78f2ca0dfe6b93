import { ClientError } from "../errors.js"
import { nobodyIsCalled, requireName } from "../identity/names.js"
import { concurrently } from "../service/concurrently.js"
import type { Means } from "./driver.js"
import { type ConversationHandle, requireTitle } from "./handle.js"

/** Random bytes. */
export const GROUP_ID_SIZE = 32

export interface CreationOptions {
  readonly title: string
  readonly members: readonly string[]
  readonly make: (id: Uint8Array) => ConversationHandle
  readonly register: (conversation: ConversationHandle) => void
}

/** See `Client.createConversation`. */
export async function createConversation(
  { identity, directory, random, signal }: Pick<Means, "identity" | "directory" | "random" | "signal">,
  { title, members: names, make, register }: CreationOptions,
): Promise<ConversationHandle> {
  requireTitle(title)
  const members = [...new Set(names)].filter((name) => name !== identity.name)
  for (const name of members) requireName(name)
  await requireKnown({ directory, signal }, members)
  const conversation = make(random(GROUP_ID_SIZE))
  const wished = await conversation.driver.wish({ type: "created", beginning: { title, members } }, (step) =>
    step.after(() => register(conversation)),
  )
  await Promise.all(wished.map(({ settled }) => settled))
  return conversation
}

/** Throws `ClientError` `UNKNOWN_NAME` where the directory lists no device of a name. */
export async function requireKnown(
  { directory, signal }: Pick<Means, "directory" | "signal">,
  names: readonly string[],
): Promise<void> {
  const found = await concurrently(names, (name) => directory.devices(name, signal))
  const missing = names.filter((_, at) => found[at]!.length === 0)
  if (missing.length === 0) return
  throw new ClientError("UNKNOWN_NAME", nobodyIsCalled(missing))
}
