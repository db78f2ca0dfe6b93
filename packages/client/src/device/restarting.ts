import { restartRefusal } from "../conversation/continuing.js"
import { ClientError } from "../errors.js"
import { requireName } from "../identity/names.js"
import { takeOver } from "./continuations.js"
import { type CreationOptions, GROUP_ID_SIZE, requireKnown } from "./creation.js"
import type { Driver, Wished } from "./driver.js"
import type { ConversationHandle } from "./handle.js"

/** See `Conversation.restart`. */
export async function restartConversation(
  before: ConversationHandle,
  left: readonly string[],
  { make, register }: Pick<CreationOptions, "make" | "register">,
): Promise<ConversationHandle> {
  const { driver } = before
  const { means } = driver
  const { identity, random } = means
  for (const name of left) requireName(name)
  if (left.includes(identity.name)) throw new TypeError("whoever restarts a conversation is in it")
  requireRestartable(driver)
  const strangers = left.filter((name) => !driver.state.names.includes(name))
  if (strangers.length > 0)
    throw new ClientError("NOT_A_MEMBER", `${strangers.join(" and ")} is not in this conversation`)
  const invited = () => driver.state.names.filter((name) => !left.includes(name) && isToInvite(driver, name))
  await requireKnown(means, invited())
  const made = make(random(GROUP_ID_SIZE))
  let wished: readonly Wished[] = []
  try {
    await takeOver(driver, made.driver, {
      require: () => requireRestartable(driver),
      input: (takes) => ({
        type: "created",
        beginning: { title: driver.state.facts.title, members: invited(), takes },
      }),
      beside: (transaction, effects) => {
        wished = made.driver.wished(transaction, effects)
        transaction.after(() => register(made))
      },
    })
  } catch (error) {
    // It may have been stored nevertheless.
    if (made.driver.state.facts.status === "creating") register(made)
    throw error
  }
  await Promise.all(wished.map(({ settled }) => settled))
  return made
}

function requireRestartable(driver: Driver): void {
  const refusal = restartRefusal({ state: driver.state, moment: driver.moment() })
  if (refusal !== undefined) throw refusal
}

/** Of this person, only if there are other devices of theirs. */
function isToInvite({ state, means }: Driver, name: string): boolean {
  if (name !== means.identity.name) return true
  const nodes = state.outline.shown?.nodes ?? []
  return nodes.filter((node) => node.type === "leaf" && node.name === name).length > 1
}
