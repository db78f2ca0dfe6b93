import { logChainStart } from "@conclave/contracts/log-chain"
import { Group } from "@conclave/mls"
import { ClientError } from "../errors.js"
import { concurrently } from "../service/concurrently.js"
import type { Shared } from "./context.js"
import { type GroupConversation, requireName, requireTitle } from "./facade.js"
import { emptyState } from "./local.js"
import { IDEMPOTENCY_ID_SIZE } from "./request.js"
import { atOnce } from "./wishes.js"

const GROUP_ID_SIZE = 32

export interface CreationOptions {
  readonly title: string
  readonly members: readonly string[]
  readonly signal: AbortSignal
  readonly make: (id: Uint8Array) => GroupConversation
  readonly register: (conversation: GroupConversation) => void
}

/** See `Client.createConversation`. */
export async function createConversation(shared: Shared, options: CreationOptions): Promise<GroupConversation> {
  const { title, signal, make, register } = options
  requireTitle(title)
  const members = [...new Set(options.members)].filter((name) => name !== shared.identity.name)
  for (const name of members) requireName(name)
  const missing = await unknownNames(shared, members, signal)
  if (missing.length > 0) throw new ClientError("UNKNOWN_NAME", `nobody is called ${missing.join(" or ")}`)
  const conversation = make(shared.random(GROUP_ID_SIZE))
  const { done } = await begin(shared, conversation, { title, members })
  register(conversation)
  await done
  return conversation
}

/** Stores the group and both wishes in one step, so that a crash leaves nothing half done. */
async function begin(
  shared: Shared,
  { work }: GroupConversation,
  { title, members }: { readonly title: string; readonly members: readonly string[] },
): Promise<{ readonly done: Promise<unknown> }> {
  const { local } = work
  const { identity, groupOptions, steps } = shared
  const sha256 = identity.suite.provider.hashes["SHA-256"]!
  return steps.run(local, (step) => {
    const group = Group.create({ ...groupOptions, suite: identity.suite, signer: identity.signer, groupId: local.id })
    const chainHash = logChainStart((...parts) => sha256.digest(...parts), local.id)
    local.replaceGroup(step, group, [])
    local.update(step, { ...emptyState, status: "creating", title, chainHash, lastCommit: 0n })
    const request = shared.delivery.encode({
      type: "createGroup",
      groupId: local.id,
      idempotencyId: shared.random(IDEMPOTENCY_ID_SIZE),
      groupInfo: group.groupInfo({ withRatchetTree: false, withExternalPub: true }),
      ratchetTree: group.ratchetTree(),
    })
    const wishes = [local.addWish(step, { type: "create", request })]
    for (const names of atOnce(members)) wishes.push(local.addWish(step, { type: "invite", names, claimed: [] }))
    return { done: Promise.all(wishes.map((number) => local.expect(step, number))) }
  })
}

async function unknownNames(shared: Shared, names: readonly string[], signal: AbortSignal): Promise<readonly string[]> {
  const found = await concurrently(names, (name) => shared.directory.devices(name, signal))
  return names.filter((_, at) => found[at]!.length === 0)
}
