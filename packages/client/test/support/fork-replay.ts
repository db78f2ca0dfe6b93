import assert from "node:assert/strict"
import type { Entry } from "@conclave/contracts/delivery"
import type { Client, Conversation } from "../../src/index.js"
import type { Trace } from "./trace-replay.js"
import { type Branch, settle, taken, World } from "./world.js"

interface Acted {
  readonly actor: string
  readonly does: string
  readonly members?: readonly string[]
  readonly of?: string
  readonly second?: readonly string[]
  readonly entry?: string
  readonly to?: number
}

/**
 * A trace of the scenario `fork`: the service goes on with two histories, and shows an entry of the one to those who read the
 * other. They notice with that entry, where it says what its author had read.
 */
export async function replayFork({ actions }: Trace): Promise<void> {
  await using world = new World()
  const clients = new Map<string, Client>()
  const entries = new Map<string, Entry>()
  const isSecond = new Set<string>()
  let second: Branch | undefined
  const branchOf = (name: string) => (isSecond.has(name) ? second! : world.branch)
  const conversationOf = (name: string): Conversation => [...clients.get(name)!.conversations.values()][0]!
  for (const action of actions as unknown as readonly Acted[]) {
    const { actor, does } = action
    if (does === "create") {
      const members = action.members!
      for (const name of members) {
        const delivery = {
          request: (body: Uint8Array, options?: object) => branchOf(name).transport.request(body, options),
          subscribe: (body: Uint8Array, options?: object) => branchOf(name).transport.subscribe(body, options),
          [Symbol.asyncDispose]: async () => {},
        }
        clients.set(name, await world.open(name.toLowerCase(), { delivery }))
      }
      await clients
        .get(actor)!
        .createConversation({ members: members.filter((it) => it !== actor).map((it) => it.toLowerCase()) })
      await settle(...clients.values())
      await conversationOf(actor).send("before")
      await settle(...clients.values())
      for (const client of clients.values()) await taken(client)
    } else if (does === "send") {
      await clients.get(actor)!.sync()
      await conversationOf(actor).send(action.entry!)
      entries.set(action.entry!, (await branchOf(actor).entries(conversationOf(actor))).at(-1)!)
    } else if (does === "lie" && action.of === "fork") {
      second = world.fork()
      for (const name of action.second!) isSecond.add(name)
    } else if (does === "lie" && action.of === "replay") {
      const side = action.to === 1 ? second! : world.branch
      const entry = entries.get(action.entry!)!
      const [author] = [...clients.keys()]
      await side.place(conversationOf(author!), entry)
      for (const [name, client] of clients) {
        if (isSecond.has(name) !== (action.to === 1)) continue
        await client.sync()
        const told = (await taken(client)).filter(({ type }) => type === "contradicted")
        assert.equal(told.length, 1, `${name} notices`)
      }
    } else throw new TypeError(`nobody can ${does} here`)
  }
}
