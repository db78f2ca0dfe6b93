import assert from "node:assert/strict"
import type { Transport } from "@conclave/transport"
import { fromHex } from "../../src/bytes.js"
import type { Client, Conversation } from "../../src/index.js"
import { settle, taken, World } from "./world.js"

/** The only conversation of somebody. */
export const only = (client: Client): Conversation => [...client.conversations.values()][0]!
export const idOf = (conversation: Conversation): Uint8Array => fromHex(conversation.id)

interface TeamOptions {
  readonly names?: readonly string[]
  readonly delivery?: (world: World, name: string) => Transport
}

/** Alice, Bob and a conversation of theirs, all told. */
export async function team(options: TeamOptions = {}) {
  const world = new World({ inMemory: true })
  const delivery = options.delivery ?? (() => world.transport("delivery"))
  const names = ["alice", "bob", ...(options.names ?? [])]
  const [alice, ...others] = await Promise.all(
    names.map((name) => world.open(name, { delivery: delivery(world, name) })),
  )
  const clients = [alice!, ...others]
  const conversation = await alice!.createConversation({ members: others.map(({ name }) => name) })
  await conversation.send("hello")
  await settle(...clients)
  for (const client of clients) await taken(client)
  return { world, clients, alice: alice!, bob: others[0]!, others, conversation, groupId: idOf(conversation) }
}

/** Everybody goes on, and they can still talk: nobody is in another place than before. */
export async function assertUndisturbed(clients: readonly Client[], members: readonly string[]): Promise<void> {
  const [first, ...others] = clients
  await only(first!).send("we go on")
  await settle(...clients)
  for (const client of clients) {
    assert.equal(only(client).status, "active")
    assert.deepEqual(only(client).members, members)
    assert.deepEqual(only(client).epochAuthenticator, only(first!).epochAuthenticator)
  }
  for (const client of others) assert.equal((await only(client).history()).at(-1)?.text, "we go on")
}

/** They follow the same log, in the same epoch, and hear each other. */
export async function assertTogether(clients: readonly Client[]): Promise<void> {
  const [first, ...others] = clients
  await only(first!).send("we go on")
  await settle(...clients, ...clients)
  for (const client of clients) {
    assert.equal(only(client).status, "active", client.name)
    assert.deepEqual(only(client).epochAuthenticator, only(first!).epochAuthenticator, client.name)
  }
  for (const client of others) assert.equal((await only(client).history()).at(-1)?.text, "we go on")
}

/** They are in the same epoch of one group, and follow it. */
export function assertOneGroup(...clients: readonly Client[]): void {
  const [first, ...others] = clients
  for (const client of clients) assert.equal(only(client).status, "active")
  for (const client of others) {
    assert.equal(only(client).epoch, only(first!).epoch)
    assert.deepEqual(only(client).epochAuthenticator, only(first!).epochAuthenticator)
  }
}
