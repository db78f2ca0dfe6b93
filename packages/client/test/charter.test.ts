import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, it } from "node:test"
import { noAccess } from "@conclave/contracts/access"
import { deliveryRequests, type Entry } from "@conclave/contracts/delivery"
import { Group } from "@conclave/mls"
import type { Handler, Logger } from "@conclave/transport"
import { connect } from "@conclave/transport/node"
import Database from "libsql"
import { intervalIn } from "../src/conversation/epoch-interval.js"
import { ConversationHandle } from "../src/device/handle.js"
import type { Client } from "../src/index.js"
import { MemoryProfile, memoryStore } from "../src/store/memory.js"
import { Insider } from "./support/insider.js"
import { expected, Mallory, noise } from "./support/mallory.js"
import { answered } from "./support/tampered.js"
import { assertUndisturbed, idOf, only, team } from "./support/team.js"
import { settle, taken, World } from "./support/world.js"

/*
 * What the product promises against each adversary, as whole stories. What is said to be possible for an adversary is tried
 * as well: a promise that is kept because the adversary does nothing would be none.
 */

const driverOf = (client: Client) => {
  const conversation = only(client)
  assert.ok(conversation instanceof ConversationHandle)
  return conversation.driver
}

describe("an operator with the service's file and its requests", () => {
  const names = ["alice-in-wonderland", "bob-of-the-builders", "carol-of-the-bells"]
  const secrets = ["a title that would tell", "what nobody else may read", "and this neither"]

  /** A conversation over HTTP, with an invitation, a removal and a knock; what the operator gets of it. */
  async function observed(world: World) {
    const requests: { readonly type: string; readonly body: Uint8Array }[] = []
    const lines: unknown[] = []
    const at = () => (fields: object, message: string) => lines.push([message, { ...fields }])
    const logger: Logger = { debug: at(), info: at(), warn: at(), error: at() }
    const noting = (handler: Handler): Handler => {
      return (body, context) => {
        requests.push({ type: deliveryRequests.decode(body).type, body: body.slice() })
        return handler(body, context)
      }
    }
    const server = await world.server({
      ...{ logger, slowMilliseconds: 0 },
      wrap: ({ delivery, auth }) => ({ delivery: noting(delivery), auth }),
    })
    const { url } = await server.listen({ host: "127.0.0.1" })
    const away = { is: false }
    const clients = await Promise.all(
      names.map((name) => {
        const delivery = answered(connect(new URL("delivery", url)), (request, answer) =>
          away.is && name === names[1] && request.type === "read" && answer.type === "entries"
            ? { type: "belowRetention", groupId: answer.groupId, oldestSeq: 1_000n }
            : answer,
        )
        return world.open(name, { delivery, auth: connect(new URL("auth", url)) })
      }),
    )
    const [alice, bob, carol] = clients as [Client, Client, Client]
    const conversation = await alice.createConversation({ title: secrets[0]!, members: names.slice(1) })
    await conversation.send(secrets[1]!)
    await settle(...clients)
    await only(bob).send(secrets[2]!)
    await conversation.refresh()
    away.is = true
    await bob.sync()
    assert.equal(only(bob).status, "recovering")
    // His knock lies in the file, and so does a Welcome that has not been fetched.
    await conversation.remove(names[2]!)
    await conversation.invite(names[2]!)
    const file = join(world.folder, "service.db")
    const close = async () => {
      for (const client of clients) await client.close()
      await server.close()
    }
    const devices = clients.map((client) => driverOf(client).means.identity)
    return {
      file,
      requests,
      lines,
      devices,
      carol,
      conversation,
      groupId: idOf(conversation),
      [Symbol.asyncDispose]: close,
    }
  }

  /** Whether bytes have a text in them, in a form in which a file or a log may have it. */
  const has = (bytes: Buffer, text: string | Uint8Array) => {
    const plain = Buffer.from(text as string)
    const forms = [plain, plain.toString("hex"), plain.toString("base64").replace(/=+$/, "").slice(0, -1)]
    return forms.some((form) => bytes.includes(form))
  }

  it("finds no content, no title, and nobody's name or key with the conversation; sizes, times and recipients he sees", async () => {
    await using world = new World()
    await using scene = await observed(world)
    const { file, requests, lines, devices, carol, groupId } = scene
    const copy = join(world.folder, "copy.db")
    const database = new Database(file)
    database.exec(`VACUUM INTO '${copy}'`)
    database.close()
    const all = readFileSync(copy)
    for (const text of secrets) assert.ok(!has(all, text), text)
    // As it is said: the directory lists names, and a key package tells whose it is. They can be found, so the search works.
    for (const name of names) assert.ok(has(all, name), name)
    assert.ok(has(all, groupId))

    const open = new Database(copy)
    const tables = open.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all() as { name: string }[]
    const withGroup = tables.map(({ name }) => name).filter((name) => isOfGroup(open, name))
    for (const table of ["log", "knock", "inbox", "access_interval"]) assert.ok(withGroup.includes(table))
    const [waiting] = open
      .prepare("SELECT device_id, group_id, length(body) AS size, at FROM inbox JOIN blob ON hash = body_hash")
      .all() as Row[]
    const log = open.prepare("SELECT length(body) AS size, at FROM log").all() as Row[]
    // What is left when directory and stock are taken out is what belongs to conversations.
    open.exec(
      "DELETE FROM directory_device; DELETE FROM directory_display_name; DELETE FROM key_package; DELETE FROM device; VACUUM",
    )
    open.close()
    const left = readFileSync(copy)
    assert.ok(has(left, groupId))
    for (const text of [...names, ...secrets]) assert.ok(!has(left, text), text)
    for (const { signatureKey } of devices) assert.ok(!has(left, signatureKey))
    const ids = devices.filter(({ deviceId }) => has(left, deviceId)).map(({ name }) => name)
    // Stated: to whom a Welcome is sent that waits, and how large and old everything is.
    assert.deepEqual(ids, [carol.name])
    assert.deepEqual(Buffer.from(waiting!.device_id!), Buffer.from(driverOf(carol).means.identity.deviceId))
    assert.deepEqual(Buffer.from(waiting!.group_id!), Buffer.from(groupId))
    assert.ok(waiting!.size > 0 && log.length > 5 && log.every(({ size, at }) => size > 0 && at === world.now))

    const said = Buffer.from(JSON.stringify(lines))
    assert.ok(lines.length > 20)
    for (const text of [...names, ...secrets, groupId]) assert.ok(!has(said, text), `${text}`)
    const ofGroups = requests.filter(({ body }) => body.length > 0 && has(Buffer.from(body), groupId))
    for (const type of ["createGroup", "append", "read", "knock"])
      assert.ok(
        ofGroups.some((it) => it.type === type),
        type,
      )
    for (const { type, body } of ofGroups) {
      for (const text of [...names, ...secrets]) assert.ok(!has(Buffer.from(body), text), `${text} in ${type}`)
      for (const { signatureKey } of devices) assert.ok(!has(Buffer.from(body), signatureKey), type)
    }
  })

  interface Row {
    readonly device_id?: Uint8Array
    readonly group_id?: Uint8Array
    readonly size: number
    readonly at: number
  }

  /** Whether rows of a table belong to a group. */
  function isOfGroup(database: Database.Database, table: string): boolean {
    const columns = database.prepare(`PRAGMA table_info(${table})`).all() as { name: string }[]
    return columns.some(({ name }) => name === "group_number" || name === "group_id")
  }
})

describe("a thief with a copy of a whole device", () => {
  it("reads and writes as that device, and after its renewal follows nothing, knocks in vain and appends nothing", async () => {
    await using world = new World({ inMemory: true })
    const profile = new MemoryProfile()
    const alice = await world.open("alice")
    const bob = await world.open("bob", { store: memoryStore(profile) })
    const carol = await world.open("carol")
    const clients = [alice, bob, carol]
    const conversation = await alice.createConversation({ members: ["bob", "carol"] })
    await settle(...clients)
    for (const client of clients) await only(client).refresh()
    await settle(...clients)
    for (const client of clients) await taken(client)
    const copy = new MemoryProfile()
    for (const [key, value] of profile.records) copy.records.set(key, value.slice())
    const stolen = await world.open("bob", { store: memoryStore(copy) })
    const thief = await Insider.of(world, stolen)
    const { id: groupId } = thief.group

    // Stated: until the device renews its keys, he can do what it can.
    await conversation.send("the plan")
    await settle(...clients)
    assert.deepEqual(thief.read(await shownTo(thief)), ["the plan"])
    const forged = thief.say("as Bob")
    const { epoch } = thief.group
    expected(await thief.mallory.append(groupId, { kind: "application", epoch, body: forged }), "accepted")
    await settle(alice, carol)
    assert.ok((await only(alice).history()).some((it) => it.text === "as Bob" && it.from === "bob"))

    // Bob's device sees what it has not written, says so, is let in again and renews its keys.
    await bob.sync()
    assert.ok((await taken(bob)).some(({ type }) => type === "copied"))
    for (let round = 0; round < 3; round++, world.now += 35_000) await settle(...clients)
    assert.equal(only(bob).status, "active")
    assert.ok(!driverOf(bob).state.facts.renewalDue)
    await conversation.send("another plan")
    await settle(...clients)
    for (const client of clients) await taken(client)
    world.now += 61_000

    // He follows nothing: of what the service shows him he reads no word, nor of what an accomplice shows him beyond.
    const { mallory: accomplice } = await Mallory.inside(world, carol)
    const shown = await shownTo(thief)
    const beyond = await shownTo(thief, accomplice)
    assert.ok(beyond.length > shown.length)
    assert.deepEqual(thief.read(beyond), [])
    assert.ok(thief.group.epoch < conversation.epoch)
    // What he appends is refused.
    const none = new Uint8Array()
    const words = thief.say("still Bob")
    const commit = { welcome: none, recipients: [], begins: undefined, answers: undefined }
    const body = thief.group.commit().message
    const append = { epoch: thief.group.epoch, after: beyond.at(-1)!.seq }
    for (const entry of [
      { ...append, kind: "application", body: words },
      { ...append, kind: "commit", body, commit },
    ] as const) {
      assert.equal((await thief.mallory.append(groupId, entry)).type, "denied", entry.kind)
    }
    // His knock is taken, with the leaf that he had and with the one that is in the tree, and nobody answers it.
    const inTree = await Insider.of(world, carol)
    const stuckAt = driverOf(alice).state.position.lastCommit
    for (const leafNodeHashes of [[thief.leafHash("bob")], [thief.leafHash("bob"), inTree.leafHash("bob")]]) {
      await thief.knock(thief.mallory.signer, { leafNodeHashes, seen: 1_000n, stuckAt })
    }
    const before = conversation.epoch
    for (let round = 0; round < 3; round++, world.now += 3 * 3_600_000) await settle(...clients)
    assert.equal(conversation.epoch, before)
    await assertUndisturbed(clients, ["alice", "bob", "carol"])
    assert.ok(!(await taken(bob)).some(({ type }) => type === "copied"))
  })
})

/** All entries that the service shows for somebody's keys. */
async function shownTo({ mallory, group: { id: groupId } }: Insider, by = mallory): Promise<readonly Entry[]> {
  const asked = { type: "read", groupId, afterSeq: 0n, limit: 500, access: noAccess } as const
  return expected(await by.askAs(by.keys, asked), "entries").entries
}

describe("a service that helps somebody who is no member", () => {
  /** Who knows the id alone has a group of that id, with keys of its own. */
  function stranger(world: World, groupId: Uint8Array, epoch: bigint): Insider {
    const mallory = new Mallory(world, "stranger")
    const group = Group.create({ ...mallory.options, groupId })
    while (group.epoch < epoch) group.apply(group.commit(), [])
    mallory.keys = intervalIn(group)
    return Insider.apart(world, { mallory, group })
  }

  for (const who of ["a stranger with the id", "a member who was removed"] as const) {
    it(`shows ${who} the whole log and places all that comes from there: nothing is read, and nothing believed`, async () => {
      const { world, clients, alice, bob, conversation, groupId, others } = await team({ names: ["carol"] })
      await using _ = world
      for (const client of clients) await only(client).refresh()
      await settle(...clients)
      const carol = await Insider.of(world, others[1]!)
      await conversation.send("while she is there")
      await conversation.remove("carol")
      await settle(alice, bob)
      const secret = "now that she has gone"
      await conversation.send(secret)
      await settle(alice, bob)
      for (const client of [alice, bob]) await taken(client)
      const helped = who === "a member who was removed" ? carol : stranger(world, groupId, conversation.epoch)

      const { mallory: member, group } = await Mallory.inside(world, bob)
      const log = await shownTo(helped, member)
      // Stated: a member has read what was said while she was there.
      assert.deepEqual(helped.read(log), helped === carol ? ["while she is there"] : [])

      const before = conversation.epoch
      const { group: own } = helped
      const alices = own.members[0]!.leafIndex
      const epoch = own.epoch
      const made = [
        { kind: "application", epoch, body: helped.say("do you hear me?") },
        { kind: "proposal", epoch, body: own.propose({ type: "remove", leafIndex: alices }).message },
        { kind: "commit", epoch, body: own.commit({ path: true }).message },
        { kind: "commit", epoch: before, body: noise(groupId, before) },
      ] as const
      for (const entry of made) await world.insert(groupId, { ...entry, key: member.keys!.accessKey })
      // With all leaves of the tree claimed, and as if nothing had been read.
      const { suite } = group
      const leafNodeHashes = group.members.map(({ leafIndex }) => suite.hash.digest(group.leafNode(leafIndex)!))
      const knock = helped.madeKnock(helped.mallory.signer, { leafNodeHashes, seen: 1_000n })
      await settle(alice, bob)
      for (const client of [alice, bob]) driverOf(client).bring({ type: "knocked", knocks: [knock] })
      for (let round = 0; round < 3; round++, world.now += 35_000) await settle(alice, bob)

      assert.equal(conversation.epoch, before)
      await assertUndisturbed([alice, bob], ["alice", "bob"])
      for (const client of [alice, bob]) {
        const said = (await only(client).history()).map(({ text }) => text)
        assert.ok(!said.includes("do you hear me?"), client.name)
        assert.ok(
          !(await taken(client)).some(({ type }) => type === "members" || type === "stopped" || type === "stuck"),
        )
      }
    })
  }
})
