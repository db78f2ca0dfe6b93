import assert from "node:assert/strict"
import { decode, encode } from "@conclave/codec"
import { DeliveryResponse } from "@conclave/contracts/delivery"
import { Group } from "@conclave/mls"
import { newcomerExtension } from "../../src/access/newcomer.js"
import type { Continues } from "../../src/access/structs.js"
import { intervalIn } from "../../src/conversation/epoch-interval.js"
import { ConversationHandle } from "../../src/device/handle.js"
import {
  type Client,
  type ClientEvent,
  type ClientOptions,
  type Conversation,
  MemoryProfile,
  memoryStore,
} from "../../src/index.js"
import { entranceOf, expected, Mallory } from "./mallory.js"
import { tampered } from "./tampered.js"
import { provider, settle, taken, World } from "./world.js"

/** Mallory, who speaks as `client`, commits with a key that nobody else has: nobody can go on. */
export async function stop(world: World, client: Client): Promise<void> {
  const { mallory, group } = await Mallory.inside(world, client)
  const { accessKey } = intervalIn(Group.create({ ...mallory.options, groupId: provider.random(32) }))
  await mallory.commit(group, {}, { begins: { accessKey, removes: false } })
}

/** A new group of Mallory's, with those of `names`, whose Welcome says what it continues. */
export async function claim(mallory: Mallory, names: readonly string[], continues: Continues): Promise<void> {
  const group = Group.create({ ...mallory.options, groupId: provider.random(32) })
  mallory.keys = intervalIn(group)
  const { accessKey } = mallory.keys
  const creation = { type: "createGroup", groupId: group.id, idempotencyId: provider.random(16), accessKey } as const
  expected(await mallory.ask(creation), "done")
  const add = await Promise.all(names.map((name) => mallory.claim(name)))
  const keys = mallory.keys
  const { message: body, welcome } = group.commit({
    add: add.map(({ keyPackage }) => keyPackage),
    path: false,
    authenticatedData: provider.random(16),
    welcomeExtensions: (_, commit) => [newcomerExtension(keys, undefined, continues), entranceOf(commit)],
  })
  const recipients = add.map(({ deviceId }) => ({ deviceId }))
  const commit = { welcome: welcome!, recipients, begins: undefined, answers: undefined }
  expected(await mallory.append(group.id, { kind: "commit", epoch: 0n, body, commit }), "accepted")
}

export const texts = async (conversation: Conversation) => (await conversation.history()).map(({ text }) => text)

export const only = (client: Client): Conversation => {
  assert.equal(client.conversations.size, 1, `${client.name} has ${client.conversations.size} conversations`)
  return [...client.conversations.values()][0]!
}
export const invitationOf = (client: Client) =>
  [...client.conversations.values()].find(({ status }) => status === "invited")
export const types = (events: readonly ClientEvent[]) => events.map(({ type }) => type)
export const everybody = ["alice", "bob", "carol", "mallory"]

/** Four people who have talked. */
export async function team(optionsOf: (world: World, name: string) => Partial<ClientOptions> = () => ({})) {
  const world = new World({ inMemory: true })
  const [alice, bob, carol, mallory] = (await Promise.all(
    everybody.map((name) => world.open(name, optionsOf(world, name))),
  )) as [Client, Client, Client, Client]
  const clients = [alice, bob, carol, mallory]
  const before = await alice.createConversation({ title: "team", members: ["bob", "carol", "mallory"] })
  await before.send("hello")
  await settle(...clients)
  await only(bob).send("hello, alice")
  await settle(...clients)
  for (const client of clients) await taken(client)
  return { world, alice, bob, carol, mallory, clients, honest: [alice, bob, carol], before }
}

/** The same, and Mallory has locked everybody out, which they have read. */
export async function stoppedTeam() {
  const made = await team()
  await stop(made.world, made.mallory)
  await settle(...made.honest)
  for (const client of made.honest) {
    assert.equal(only(client).status, "stopped")
    assert.deepEqual(types(await taken(client)), ["stopped"])
  }
  return made
}

export async function accepted(client: Client): Promise<Conversation> {
  const invitation = invitationOf(client)
  assert.ok(invitation !== undefined, `${client.name} is not invited`)
  await invitation.accept()
  return invitation
}

/** Bob's service shows him no log, so that he cannot follow, and may lose what he says, or the answer to it. */
export async function bobStuck(lost: "nothing" | "the answer" | "the request") {
  const service = { spoils: false, loses: false, beforeReading: async () => {} }
  const made = await team((world, name) => {
    if (name !== "bob") return {}
    const delivery = tampered(world.transport("delivery"), async (request, pass) => {
      if (request.type === "append" && service.loses) {
        if (lost === "the answer") await pass()
        throw new Error("the line is dead")
      }
      if (request.type === "read") await service.beforeReading()
      const answer = decode(DeliveryResponse, await pass())
      const isSpoiled = service.spoils && answer.type === "entries"
      return encode(DeliveryResponse, isSpoiled ? { type: "belowRetention", ...place(answer.groupId) } : answer)
    })
    return { delivery }
  })
  const place = (groupId: Uint8Array) => ({ groupId, oldestSeq: 99n })
  const { bob, before } = made
  await before.refresh()
  service.spoils = true
  service.loses = lost !== "nothing"
  const old = only(bob)
  const sent = old.send("while I was losing my place")
  sent.catch(() => {})
  await bob.sync().catch(() => {})
  await bob.sync().catch(() => {})
  service.loses = false
  await bob.sync()
  assert.equal(old.status, "recovering")
  const later = old.send("after that")
  later.catch(() => {})
  service.spoils = false
  return { ...made, service, old, sent, later }
}

/** Another device of the same person. */
export function phoneOf(world: World, client: Client): Promise<Client> {
  const endorse = (registration: Uint8Array) => client.endorseDevice(registration)
  return world.open(client.name, { store: memoryStore(new MemoryProfile()), endorse })
}

/** Somebody with a client's own key: its device has a place in groups that it has no keys of. */
export async function insider(world: World, client: Client): Promise<Mallory> {
  const conversation = await client.createConversation({})
  assert.ok(conversation instanceof ConversationHandle)
  return new Mallory(world, client.name, conversation.driver.means.identity.signer.key)
}
