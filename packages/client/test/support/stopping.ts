import assert from "node:assert/strict"
import { Group } from "@conclave/mls"
import { newcomerExtension } from "../../src/access/newcomer.js"
import type { Continues } from "../../src/access/structs.js"
import { intervalIn } from "../../src/conversation/epoch-interval.js"
import type { Client, ClientEvent, ClientOptions, Conversation } from "../../src/index.js"
import { expected, Mallory } from "./mallory.js"
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
    welcomeExtensions: () => [newcomerExtension(keys, undefined, continues)],
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
