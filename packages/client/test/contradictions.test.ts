import assert from "node:assert/strict"
import { copyFileSync } from "node:fs"
import { join } from "node:path"
import { describe, it } from "node:test"
import { directoryOf } from "@conclave/auth"
import { decode, encode } from "@conclave/codec"
import {
  type DeliveryRequest,
  DeliveryResponse,
  deliveryRequests,
  type Entry,
  type InboxEntry,
} from "@conclave/contracts/delivery"
import { deliveryService } from "@conclave/delivery"
import { authStore, deliveryStore, openDatabase } from "@conclave/sqlite"
import { directTransport, type Transport, TransportError } from "@conclave/transport"
import { Position } from "../src/conversation/position.js"
import { type Client, MemoryProfile, memoryStore } from "../src/index.js"
import { later, until } from "./support/counting.js"
import { type Pass, tampered } from "./support/tampered.js"
import { provider, settle, taken, World } from "./support/world.js"

const only = (client: Client) => [...client.conversations.values()][0]!

const ENOUGH = 200

/** Every Welcome is of a place that no log has got to. */
const withFarPlaces = (world: World) =>
  tampered(world.transport("delivery"), async (_, pass) => {
    const answer = decode(DeliveryResponse, await pass())
    if (answer.type !== "inboxEntries") return encode(DeliveryResponse, answer)
    const entries = answer.entries.map((it) => ({ ...it, seq: 2n ** 40n }))
    return encode(DeliveryResponse, { ...answer, entries })
  })

describe("a service that answers for ever what it was not asked for", () => {
  /** Bob's service lies while `lies` is set, and is silent after so many questions. */
  async function liar(lie: (request: DeliveryRequest, answer: DeliveryResponse) => DeliveryResponse) {
    const world = new World({ inMemory: true })
    const service = { lies: false, keepsAppends: false, asked: 0 }
    const delivery = tampered(world.transport("delivery"), async (request, pass) => {
      const isKept = service.lies && request.type === "append" && service.keepsAppends
      const answer: DeliveryResponse = isKept ? { type: "done" } : decode(DeliveryResponse, await pass())
      if (!service.lies) return encode(DeliveryResponse, answer)
      if (++service.asked > ENOUGH) throw new TransportError("it is asked for ever", { retryable: true })
      return encode(DeliveryResponse, lie(request, answer))
    })
    const [alice, bob] = [await world.open("alice"), await world.open("bob", { delivery })]
    const team = await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    await team.send("one")
    await settle(alice, bob)
    await taken(bob)
    service.lies = true
    return { world, service, alice, bob, team }
  }

  let head = 100n
  const lies: Readonly<Record<string, (answer: DeliveryResponse) => DeliveryResponse>> = {
    "a page that was read": (answer) =>
      answer.type === "entries" ? { ...answer, entries: [read], headSeq: 99n } : answer,
    "a head that moves away": (answer) =>
      answer.type === "entries" ? { ...answer, entries: [], headSeq: head++ } : answer,
    "an inbox that was read": (answer) =>
      answer.type === "inboxEntries" ? { ...answer, entries: [stale], head: 99n } : answer,
  }
  const nothing = new Uint8Array()
  const read = {
    seq: 1n,
    kind: "application",
    epoch: 0n,
    body: nothing,
    begins: undefined,
    chainHash: nothing,
    at: 0n,
  } as const
  const stale = { n: 1n, kind: "keyPackagesLow", groupId: nothing, seq: 0n, body: nothing, at: 0n } as InboxEntry

  for (const [what, lie] of Object.entries(lies)) {
    it(`is asked again later (${what})`, async () => {
      const { world, service, bob } = await liar((_, answer) => lie(answer))
      await using _ = world
      const isLog = what !== "an inbox that was read"
      for (let round = 0; round < 2; round++) {
        const asking = bob.sync()
        if (isLog) await asking
        else await assert.rejects(asking, { code: "UNAVAILABLE" })
        assert.ok(service.asked <= ENOUGH, `asked ${service.asked} times`)
        service.asked = 0
      }
      const told = (await taken(bob)).map(({ type }) => type)
      assert.deepEqual(told, isLog ? ["missing"] : [])
      service.lies = false
      await bob.sync()
      await bob.sync()
      assert.equal(only(bob).status, "active")
    })
  }

  for (const seq of [1n, 99n]) {
    it(`is asked again later (a commit's place, ${seq}, where its log does not show it)`, async () => {
      const { world, service, bob } = await liar((request, answer) =>
        request.type === "append"
          ? { type: "accepted", seq, chainHash: nothing, incarnation: 1n, signature: nothing, undelivered: [] }
          : answer,
      )
      await using _ = world
      service.keepsAppends = true
      const refreshing = only(bob).refresh()
      for (let round = 0; round < 2; round++) {
        await assert.rejects(bob.sync(), { code: "UNAVAILABLE" })
        assert.ok(service.asked <= ENOUGH, `asked ${service.asked} times`)
        service.asked = 0
      }
      service.lies = false
      await bob.sync()
      await refreshing
    })
  }

  it("is believed once that its inbox was restored from a backup", async () => {
    let isBack = false
    const low = { ...stale, n: 50n }
    const { world, service, bob } = await liar((_, answer) => {
      if (answer.type !== "inboxEntries") return answer
      isBack = !isBack
      return isBack ? { ...answer, entries: [], head: 0n } : { ...answer, entries: [low], head: 99n }
    })
    await using _ = world
    await bob.sync()
    assert.ok(service.asked <= 20, `asked ${service.asked} times`)
  })

  it("by another conversation's log moves nobody in this one", async () => {
    const { world, service, alice, bob, team } = await liar((_, answer) =>
      answer.type === "entries" ? { ...answer, groupId: new Uint8Array(32) } : answer,
    )
    await using _ = world
    await team.send("two")
    await assert.rejects(bob.sync(), { code: "REFUSED" })
    service.lies = false
    await settle(alice, bob)
    assert.deepEqual(
      (await only(bob).history()).map(({ text }) => text),
      ["one", "two"],
    )
  })

  it("by a place that was read puts no message in the place of another's", async () => {
    let appends = 0
    const { world, service, alice, bob } = await liar((request, answer) => {
      if (request.type !== "append" || answer.type !== "accepted") return answer
      appends++
      return { ...answer, seq: 2n }
    })
    await using _ = world
    const sending = only(bob).send("two")
    await until(() => appends > 0, "the message")
    await later(50)
    assert.ok(appends <= 3, `sent ${appends} times`)
    await settle(bob, alice)
    await sending
    service.lies = false
    for (const client of [alice, bob]) {
      assert.deepEqual(
        (await only(client).history()).map(({ seq, text, from }) => `${seq} ${text} by ${from}`),
        ["2 one by alice", "3 two by bob"],
      )
    }
    assert.deepEqual(
      (await taken(bob)).map((it) => (it.type === "sent" ? it.seq : it.type)),
      [3],
    )
  })

  it("by a place that turns out to be another's puts no message there, and the message is sent", async () => {
    const { world, service, alice, bob, team } = await liar((request, answer) =>
      request.type === "append"
        ? { type: "accepted", seq: 4n, chainHash: nothing, incarnation: 1n, signature: nothing, undelivered: [] }
        : answer,
    )
    await using _ = world
    service.keepsAppends = true
    const sending = only(bob).send("mine")
    await bob.sync()
    service.lies = false
    for (const text of ["two", "three"]) await team.send(text)
    await settle(bob, alice)
    await sending
    for (const client of [alice, bob]) {
      const texts = (await only(client).history()).map(({ text }) => text)
      assert.deepEqual(texts, ["one", "two", "three", "mine"])
    }
    const told = (await taken(bob)).map((it) => (it.type === "message" || it.type === "sent" ? it.text : it.type))
    assert.deepEqual(told, ["two", "three", "mine"])
  })

  it("by a Welcome's place that the log has not got to does not keep a device away", async () => {
    await using world = new World({ inMemory: true })
    const [alice, bob] = [await world.open("alice"), await world.open("bob", { delivery: withFarPlaces(world) })]
    const team = await alice.createConversation({ members: ["bob"] })
    await settle(bob, alice)
    await team.send("one")
    await settle(bob, alice)
    assert.deepEqual(
      (await only(bob).history()).map(({ text }) => text),
      ["one"],
    )
    await only(bob).send("two")
  })

  it("by a Welcome's place that the log has not got to hides nothing from who was told how far the inviter had read", async () => {
    await using world = new World({ inMemory: true })
    const [alice, bob] = [await world.open("alice"), await world.open("bob", { delivery: withFarPlaces(world) })]
    const team = await alice.createConversation({ members: [] })
    await team.refresh()
    await alice.sync()
    await team.invite("bob")
    await settle(bob, alice)
    await team.send("one")
    await settle(bob, alice)
    const texts = (await only(bob).history()).map(({ text }) => text)
    assert.deepEqual(texts, ["one"])
  })

  it("by a log that ends before the commit by which a device came, and is then shown, does not stop it", async () => {
    await using world = new World({ inMemory: true })
    let hidden: bigint | undefined
    let hides = true
    const delivery = tampered(world.transport("delivery"), async (_, pass) => {
      const answer = decode(DeliveryResponse, await pass())
      if (answer.type === "inboxEntries") hidden ??= answer.entries.find(({ seq }) => seq > 0n)?.seq
      if (answer.type !== "entries" || hidden === undefined || !hides) return encode(DeliveryResponse, answer)
      const headSeq = hidden - 1n
      const entries = answer.entries.filter(({ seq }) => seq <= headSeq)
      return encode(DeliveryResponse, { ...answer, entries, headSeq })
    })
    const [alice, bob, carol] = [
      await world.open("alice"),
      await world.open("bob", { delivery }),
      await world.open("carol"),
    ]
    const team = await alice.createConversation({ members: ["carol"] })
    await settle(alice, carol)
    // One commit, which begins an interval.
    await Promise.all([team.invite("bob"), team.remove("carol")])
    await settle(bob)
    hides = false
    await settle(bob, alice)
    await team.send("one")
    await settle(bob, alice)
    assert.equal(only(bob).status, "active")
    assert.deepEqual(
      (await only(bob).history()).map(({ text }) => text),
      ["one"],
    )
  })

  it("by a Welcome's place before the first entry does not keep an invitation from a device that knocks", async () => {
    const { world, bob, team } = await liar((request, answer) => {
      if (answer.type === "inboxEntries")
        return { ...answer, entries: answer.entries.map((it) => ({ ...it, seq: 0n })) }
      const { groupId } = request as { readonly groupId: Uint8Array }
      return request.type === "read" && isLost ? { type: "belowRetention", groupId, oldestSeq: 99n } : answer
    })
    await using _ = world
    let isLost = true
    for (let round = 0; round < 2; round++) await bob.sync()
    assert.equal(only(bob).status, "recovering")
    isLost = false
    await team.reinvite("bob")
    await bob.sync()
    assert.deepEqual([only(bob).status, only(bob).invitedBy], ["invited", "alice"])
  })
})

describe("a service that was restored from a backup", () => {
  it("has its inbox read from where it is now, and its log is waited for: what is gone may come back", async () => {
    await using world = new World()
    let restored: Transport | undefined
    const delivery = () => {
      const before = world.transport("delivery")
      const now = () => restored ?? before
      return tampered(before, (request, _) => now().request(deliveryRequests.encode(request)))
    }
    const [alice, bob, carol] = [
      await world.open("alice", { delivery: delivery() }),
      await world.open("bob", { delivery: delivery() }),
      await world.open("carol", { delivery: delivery() }),
    ]
    const team = await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    for (const suffix of ["", "-wal"]) {
      copyFileSync(join(world.folder, `service.db${suffix}`), join(world.folder, `backup.db${suffix}`))
    }
    for (const text of ["one", "two", "three", "four"]) await team.send(text)
    for (let round = 0; round < 6; round++) await carol.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    const database = openDatabase({ file: join(world.folder, "backup.db") })
    await using _ = { [Symbol.asyncDispose]: () => database.close() }
    const sha256 = (...parts: readonly Uint8Array[]) => provider.hashes["SHA-256"]!.digest(...parts)
    const store = deliveryStore(database, sha256)
    const directory = directoryOf(authStore(database))
    const pace = { pollMilliseconds: 50, commits: { perSecond: 1e6, burst: 1e6 } }
    restored = directTransport(
      deliveryService({ crypto: provider, store, directory, now: () => world.now, limits: pace }),
    )
    await taken(alice)
    await settle(alice, bob)
    assert.deepEqual(
      (await taken(alice)).map(({ type }) => type),
      ["missing"],
    )
    assert.equal(team.status, "active")
    // Key packages that were used after the backup are handed out again, and lead nowhere.
    const invited: string[] = []
    for (let round = 0; round < 5; round++) invited.push((await carol.createConversation({ members: ["bob"] })).id)
    await settle(bob)
    assert.ok(invited.some((id) => bob.conversations.has(id)))
  })
})

describe("a service that says each time that it was restored", () => {
  it("does not have a device that follows no log read its inbox again and again", async () => {
    await using world = new World({ inMemory: true })
    const profile = new MemoryProfile()
    const policy = { keyPackages: 4, invitations: () => "decline" as const }
    const { branch } = world
    let [lies, asked] = [false, 0]
    let inbox: Uint8Array | undefined
    const lie = async (request: DeliveryRequest, pass: Pass) => {
      if (request.type === "service" && lies) {
        asked++
        return (await world.restore(branch)).transport.request(deliveryRequests.encode(request))
      }
      const answer = await pass()
      if (request.type !== "inbox") return answer
      const read = decode(DeliveryResponse, answer)
      if (read.type === "inboxEntries" && read.entries.length > 0) inbox ??= answer
      return lies ? inbox! : answer
    }
    const open = (live: boolean) =>
      world.open("bob", {
        ...{ policy, live, store: memoryStore(profile) },
        delivery: tampered(world.transport("delivery"), lie),
      })
    const [alice, bob] = [await world.open("alice"), await open(false)]
    // He knows who the service is, and has read something of his inbox.
    const own = await bob.createConversation({})
    await own.send("hello, me")
    await own.leave()
    await alice.createConversation({ members: ["bob"] })
    await settle(bob)
    await bob.close()
    lies = true
    await open(true)
    await until(() => asked > 0, "it is asked what it says of itself")
    await later(500)
    assert.ok(asked < 10, `${asked} times`)
  })
})

describe("entries of a stream to which nothing leads", () => {
  const bytes = new Uint8Array(32)
  const fixed = { kind: "application", epoch: 1n, body: bytes, begins: undefined, chainHash: bytes, at: 0n } as const
  const entry = (seq: bigint): Entry => ({ seq, ...fixed })

  it("are given up after a page that ends before them, and the head is asked for again", () => {
    const position = new Position({ cursor: 5n, chainHash: bytes, lastCommit: 1n })
    position.bring([entry(9n)], 9n, undefined)
    assert.equal(position.next(), undefined)
    position.read([], 5n, undefined)
    assert.deepEqual([position.isAtHead, position.waiting], [false, 0])
    position.read([], 5n, undefined)
    assert.ok(position.isAtHead)
  })

  it("are kept where the page leads to them", () => {
    const position = new Position({ cursor: 5n, chainHash: bytes, lastCommit: 1n })
    position.bring([entry(7n)], 7n, undefined)
    position.read([entry(6n)], 6n, undefined)
    const followed = () => {
      const next = position.next()
      if (next !== undefined) position.followed(next)
      return next?.seq
    }
    assert.deepEqual([followed(), followed(), position.isAtHead], [6n, 7n, true])
  })
})
