import type { Conversation } from "../../src/index.js"
import { type Branch, settle, taken, World } from "./world.js"

/** Two members who have read the same log, with a service that Bob is led away from when he is told to be. */
export async function pair() {
  const world = new World()
  let branch: Branch | undefined
  const delivery = () => (branch ?? world.branch).transport
  const switched = {
    request: (body: Uint8Array, options?: object) => delivery().request(body, options),
    subscribe: (body: Uint8Array, options?: object) => delivery().subscribe(body, options),
    [Symbol.asyncDispose]: async () => {},
  }
  const [alice, bob] = [await world.open("alice"), await world.open("bob", { delivery: switched })]
  const team = await alice.createConversation({ title: "team", members: ["bob"] })
  await settle(alice, bob)
  await team.send("hello")
  await settle(alice, bob)
  const leadAway = () => {
    branch = world.fork()
    return branch
  }
  await Promise.all([alice, bob].map(taken))
  return { world, alice, bob, team, leadAway, reopen: () => world.open("bob", { delivery: switched }) }
}

/** Everything after the entry `seq` of the true history, but for the entries `without`. */
export async function relay(
  from: World,
  to: Branch,
  of: Conversation,
  { after, without = [] }: Relayed,
): Promise<void> {
  for (const entry of await from.branch.entries(of, after)) {
    if (!without.includes(entry.seq)) await to.place(of, entry)
  }
}
export interface Relayed {
  readonly after: bigint
  readonly without?: readonly bigint[]
}
