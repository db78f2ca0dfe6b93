import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { Dice } from "../simulation/random.js"
import { HANDSHAKES_KEPT } from "../src/conversation/kept.js"
import type { ConversationHandle } from "../src/device/handle.js"
import { type Client, type ClientEvent, type Conversation, MemoryProfile, memoryStore } from "../src/index.js"
import { Backup, only, pass } from "./support/backup.js"
import { Power, storeOn } from "./support/faults.js"
import { isWhole } from "./support/long.js"
import { noise } from "./support/mallory.js"
import { assertOneGroup } from "./support/team.js"
import { settle, taken } from "./support/world.js"

const stateOf = (client: Client) => (only(client) as ConversationHandle).driver.state

const TEN_MINUTES = 600_000

/** Says so many things, turn by turn, and everybody else reads them. Returns what was said. */
async function talk(backup: Backup, count: number, speakers: readonly Client[], listeners: readonly Client[] = []) {
  const said: string[] = []
  while (said.length < count) {
    const texts = Array.from({ length: Math.min(50, count - said.length) }, (_, n) => `${said.length + n + 1}`)
    const speaker = speakers[(said.length / 50) % speakers.length]!
    await Promise.all(texts.map((text) => only(speaker).send(text)))
    said.push(...texts)
    backup.world.now += 1_000
    if (said.length % 1_000 === 0) for (const client of [...speakers, ...listeners]) await client.sync()
  }
  await settle(...speakers, ...listeners)
  return said
}

async function history(conversation: Conversation): Promise<readonly string[]> {
  const messages = await conversation.history({ limit: 100_000 })
  const seqs = messages.map(({ seq }) => seq)
  assert.deepEqual(
    seqs,
    [...new Set(seqs)].sort((a, b) => a - b),
  )
  return messages.map(({ text }) => text ?? "")
}

/** What is told, but for what is said. */
const news = (events: readonly ClientEvent[]) =>
  events.flatMap((it) => {
    if (it.type === "message" || it.type === "sent") return []
    return it.type === "rejected" ? [`${it.code}: ${it.reason}`] : [it.type === "service" ? it.change : it.type]
  })

const said = (events: readonly ClientEvent[]) =>
  events.flatMap((it) => (it.type === "message" || it.type === "sent" ? [it.text] : []))

describe("a client that is far ahead of a restored service", () => {
  for (const { count, percent, kept } of [
    // As many as take long.
    ...(isWhole
      ? [
          { count: 1_000, percent: 10, kept: 100 },
          { count: 300, percent: 90, kept: 1_500 },
          { count: 5_000, percent: 50, kept: 500 },
        ]
      : [
          { count: 300, percent: 10, kept: 100 },
          { count: 300, percent: 90, kept: 300 },
        ]),
  ]) {
    it(`finds where the logs part: ${count} entries, and a lost commit ${percent} % of the way`, async () => {
      await using backup = new Backup({ inMemory: true })
      const [alice, bob] = (await backup.team("alice", "bob")) as [Client, Client]
      const before = await talk(backup, kept, [alice, bob])
      await backup.make()
      const first = await talk(backup, (count * percent) / 100, [alice, bob])
      await only(alice).refresh()
      await settle(alice, bob)
      const second = await talk(backup, (count * (100 - percent)) / 100, [alice, bob])
      const { epoch } = only(alice)
      for (const client of [alice, bob]) await taken(client)
      backup.restore()
      let asked = 0
      let read = 0
      backup.lie = (request, answer) => {
        if (request.type === "read") asked++
        if (answer.type === "entries") read += answer.entries.length
        return answer
      }
      await bob.sync()
      // At most as many as are lost are read once more, and a few pages to find out where.
      assert.ok(asked < 20 + count / 256, `${asked} pages`)
      assert.ok(read < count + 4 * 256, `${read} entries`)
      await pass(backup.world, 60_000, alice, bob)
      assertOneGroup(alice, bob)
      assert.equal(only(alice).epoch, epoch)
      for (const client of [alice, bob]) assert.deepEqual(news(await taken(client)), ["restored"])
      await only(alice).send("we are back")
      await only(bob).send("so we are")
      await settle(alice, bob)
      for (const client of [alice, bob]) {
        const all = ["before the backup", ...before, ...first, ...second, "we are back", "so we are"]
        assert.deepEqual(await history(only(client)), all)
        const events = await taken(client)
        assert.deepEqual(said(events), ["we are back", "so we are"])
        assert.deepEqual(news(events), [])
      }
    })
  }

  it("gives back as many commits as it keeps, but one, with hundreds of messages between them", async () => {
    await using backup = new Backup({ inMemory: true })
    const [alice, bob] = (await backup.team("alice", "bob")) as [Client, Client]
    const go = async (commits: number) => {
      for (let n = 0; n < commits; n++) {
        await talk(backup, 25, [n % 2 === 0 ? alice : bob])
        await only(alice).refresh()
        await settle(alice, bob)
      }
    }
    await go(HANDSHAKES_KEPT)
    await talk(backup, 50, [alice, bob])
    await backup.make()
    await talk(backup, 50, [alice, bob])
    await go(HANDSHAKES_KEPT - 1)
    await talk(backup, 300, [alice, bob])
    const { epoch } = only(alice)
    for (const client of [alice, bob]) await taken(client)
    backup.restore()
    await pass(backup.world, 60_000, alice, bob)
    assertOneGroup(alice, bob)
    assert.equal(only(alice).epoch, epoch)
    for (const client of [alice, bob]) {
      assert.equal(stateOf(client).kept.lost.length, 0)
      const events = await taken(client)
      assert.deepEqual([said(events), news(events)], [[], ["restored"]])
    }
  })

  it("reads what others say meanwhile, each message once", async () => {
    await using backup = new Backup({ inMemory: true })
    const clients = (await backup.team("alice", "bob", "carol")) as [Client, Client, Client]
    const [alice, bob, carol] = clients
    await talk(backup, 200, [alice, bob], [carol])
    await backup.make()
    await talk(backup, 200, [alice, bob])
    await only(alice).refresh()
    await settle(alice, bob)
    await talk(backup, 200, [alice, bob])
    for (const client of clients) await taken(client)
    backup.restore()
    // Carol, who has read nothing of it.
    for (const text of ["hello", "anybody?"]) await only(carol).send(text)
    await pass(backup.world, 60_000, ...clients)
    assertOneGroup(...clients)
    assert.equal(stateOf(alice).recovery.type, "following")
    await only(carol).send("there you are")
    await settle(...clients)
    assertOneGroup(...clients)
    for (const client of [alice, bob]) {
      const events = await taken(client)
      assert.deepEqual(said(events), ["hello", "anybody?", "there you are"])
      assert.deepEqual(news(events), ["restored"])
      assert.deepEqual((await history(only(client))).slice(-4), ["200", "hello", "anybody?", "there you are"])
    }
    assert.deepEqual(news(await taken(carol)), ["restored", "refreshed"])
  })

  it("reads nothing twice where a newer backup is restored after an older one", async () => {
    await using backup = new Backup({ inMemory: true })
    const [alice, bob] = (await backup.team("alice", "bob")) as [Client, Client]
    await talk(backup, 100, [alice, bob])
    const older = backup.world.fork()
    await talk(backup, 500, [alice, bob])
    await only(bob).refresh()
    await settle(alice, bob)
    const newer = backup.world.fork()
    await talk(backup, 500, [alice, bob])
    await only(alice).refresh()
    await settle(alice, bob)
    const { epoch } = only(alice)
    for (const client of [alice, bob]) await taken(client)
    backup.show(await backup.world.restore(older))
    await bob.sync()
    backup.show(await backup.world.restore(newer, 2))
    await pass(backup.world, 120_000, alice, bob)
    assertOneGroup(alice, bob)
    assert.equal(only(alice).epoch, epoch)
    await only(alice).send("we are back")
    await settle(alice, bob)
    const events = await taken(bob)
    assert.deepEqual(said(events), ["we are back"])
    assert.deepEqual(news(events), ["restored", "restored"])
  })

  it("finds it among the entries that the service still keeps", async () => {
    await using backup = new Backup({ inMemory: true })
    const [alice, bob] = (await backup.team("alice", "bob")) as [Client, Client]
    await talk(backup, 1_600, [alice, bob])
    await backup.make()
    await talk(backup, 250, [alice, bob])
    await only(alice).refresh()
    await settle(alice, bob)
    await talk(backup, 150, [alice, bob])
    for (const client of [alice, bob]) await taken(client)
    const { epoch } = only(alice)
    backup.restore()
    // Of the entries that it keeps, Bob has the hash of one; Alice, to whom it shows fewer, of none.
    const refused = { alice: 0, bob: 0 }
    backup.lie = (request, answer, to) => {
      const oldestSeq = to === "bob" ? 1_500n : 1_603n
      if (request.type !== "read" || request.afterSeq + 1n >= oldestSeq) return answer
      refused[to as "alice" | "bob"]++
      return { type: "belowRetention", groupId: request.groupId, oldestSeq }
    }
    await pass(backup.world, 60_000, alice, bob)
    assert.ok(refused.alice > 0 && refused.bob > 0)
    assert.deepEqual(news(await taken(bob)), ["restored"])
    assert.deepEqual([only(bob).epoch, stateOf(bob).kept.lost.length], [epoch, 0])
    // She waits for what the others bring back, and is let in after that.
    assert.deepEqual(news(await taken(alice)), ["restored", "missing"])
    assert.equal(only(alice).status, "active")
    await pass(backup.world, TEN_MINUTES + 60_000, alice, bob)
    assertOneGroup(alice, bob)
    assert.deepEqual(news(await taken(alice)), ["stuck", "recovered", "refreshed"])
  })

  it("takes garbage from before the backup for no rival of the commit that was lost", async () => {
    await using backup = new Backup({ inMemory: true })
    const [alice, bob] = (await backup.team("alice", "bob")) as [Client, Client]
    const { id: groupId, epoch } = stateOf(alice)
    const garbage = { kind: "commit", epoch, body: noise(groupId, epoch), begins: undefined } as const
    await backup.world.branch.place(only(alice), { ...garbage, seq: 0n, chainHash: new Uint8Array(32), at: 0n })
    await talk(backup, 150, [alice, bob])
    await backup.make()
    await talk(backup, 300, [alice, bob])
    await only(alice).refresh()
    await settle(alice, bob)
    for (const client of [alice, bob]) await taken(client)
    backup.restore()
    await pass(backup.world, 60_000, alice, bob)
    assertOneGroup(alice, bob)
    for (const client of [alice, bob]) assert.deepEqual(news(await taken(client)), ["restored"])
  })

  it("finds it, and reads nothing twice, though it crashes at any point", async () => {
    await using backup = new Backup({ inMemory: true })
    const [alice, carol] = (await backup.team("alice", "carol")) as [Client, Client]
    const profile = new MemoryProfile()
    const bob = await backup.open("bob", { store: memoryStore(profile) })
    await only(alice).invite("bob")
    await settle(alice, bob, carol)
    await talk(backup, 100, [alice], [bob, carol])
    const copy = backup.world.fork()
    await talk(backup, 200, [alice], [bob])
    await only(alice).refresh()
    await settle(alice, bob)
    const all = [...(await history(only(bob))), "hello, Bob"]
    await talk(backup, 100, [alice], [bob])
    const { epochAuthenticator } = only(alice)
    for (const client of [bob, carol]) await taken(client)
    for (const client of [alice, bob, carol]) await client.close()
    backup.show(await backup.world.restore(copy))
    // What is there when Bob comes: Carol has said something in the place of what is lost.
    const again = await backup.open("carol")
    await only(again).send("hello, Bob")
    await again.close()
    const points = await run(-1)
    assert.ok(points >= 10, `only ${points} points`)
    for (let point = 0; point < points; point++) {
      await run(point).catch((cause) => {
        throw new Error(`point ${point} of ${points}`, { cause })
      })
    }
    async function run(point: number): Promise<number> {
      const of = new MemoryProfile()
      for (const [key, record] of profile.records) of.records.set(key, record)
      const power = new Power(point < 0 ? Number.POSITIVE_INFINITY : point)
      const crashing = await backup.open("bob", { store: storeOn(power, memoryStore(of)) }).catch(() => undefined)
      await crashing?.sync().catch(() => {})
      const { passed } = power
      await crashing?.close().catch(() => {})
      const bob = await backup.open("bob", { store: memoryStore(of) })
      await bob.sync()
      const shown = await history(only(bob))
      assert.deepEqual(shown.filter((text) => text === "hello, Bob").length, 1)
      assert.deepEqual(shown.length, all.length + 100)
      assert.deepEqual(only(bob).epochAuthenticator, epochAuthenticator)
      const events = await taken(bob)
      assert.deepEqual(said(events), ["hello, Bob"])
      assert.deepEqual(news(events), ["restored"])
      await bob.close()
      return passed
    }
  })

  it("asks a few questions at most, whatever the service shows, and finds it when that is the truth", async () => {
    await using backup = new Backup({ inMemory: true })
    const [alice, bob] = (await backup.team("alice", "bob")) as [Client, Client]
    await talk(backup, 200, [alice, bob])
    const older = backup.world.fork()
    await talk(backup, 400, [alice, bob])
    await only(alice).refresh()
    await settle(alice, bob)
    await talk(backup, 100, [alice, bob])
    await taken(bob)
    const dice = new Dice(7)
    for (let round = 1; round <= 20; round++) {
      backup.show(await backup.world.restore(older))
      let asked = 0
      const [truth, isLong] = [round === 20, dice.chance(50)]
      backup.lie = (request, answer, to) => {
        if (to !== "bob" || answer.type !== "entries" || request.type !== "read") return answer
        if (++asked > 100) throw new Error("this client asks without a pause")
        if (truth) return answer
        const hash = stateOf(bob).chain.hashAt(request.afterSeq + 1n) ?? new Uint8Array(32)
        const at = { seq: request.afterSeq + 1n, kind: "application", epoch: 1n, at: 0n, begins: undefined } as const
        const entry = { ...at, body: new Uint8Array(9), chainHash: dice.chance(50) ? hash : new Uint8Array(32) }
        const shown = isLong || dice.chance(30) ? answer.entries : dice.chance(80) ? [entry] : [entry, entry]
        return { ...answer, entries: shown, headSeq: isLong ? 1_000n : BigInt(dice.below(1_000)) }
      }
      await bob.sync().catch(() => {})
      assert.ok(asked < 40, `round ${round}: ${asked} questions`)
      backup.world.now += 20_000
    }
    await pass(backup.world, 60_000, alice, bob)
    assertOneGroup(alice, bob)
    const events = await taken(bob)
    assert.deepEqual(said(events), [])
    assert.ok(
      news(events).every((it) => it === "restored" || it === "missing"),
      news(events).join(),
    )
  })

  it("goes back nowhere where the service does not say that it was restored, and has evidence", async () => {
    await using backup = new Backup({ inMemory: true })
    const [alice, bob] = (await backup.team("alice", "bob")) as [Client, Client]
    await talk(backup, 100, [alice, bob])
    const other = backup.world.fork()
    await talk(backup, 400, [alice, bob])
    for (const client of [alice, bob]) await taken(client)
    const { cursor } = stateOf(bob).position
    const { epoch } = stateOf(bob)
    const strange = {
      kind: "application",
      epoch,
      begins: undefined,
      seq: 0n,
      chainHash: new Uint8Array(32),
      at: 0n,
    } as const
    for (let n = 0; n < 450; n++) await other.place(only(alice), { ...strange, body: noise(stateOf(bob).id, epoch) })
    backup.show(other)
    for (let round = 0; round < 4; round++) {
      await bob.sync()
      backup.world.now += 20_000
    }
    assert.equal(stateOf(bob).position.cursor, cursor)
    assert.deepEqual(news(await taken(bob)), ["missing", "contradicted"])
  })
})

describe("messages that a restored service has lost, and a member has not read", () => {
  for (const [what, days, told] of [
    ["are no reason not to read the next one", 0, ["restored"]],
    ["are not taken for lost for ever", 31, ["restored", "GENERATION_SPENT"]],
  ] as const) {
    it(what, async () => {
      await using backup = new Backup({ inMemory: true })
      const policy = { keyPackages: 4, renewAfterMilliseconds: 1e12 }
      const [alice, bob] = (await backup.teamWith({ policy }, "alice", "bob")) as [Client, Client]
      await backup.make()
      // What he has read of it he may read again without a word; what he cannot read is told.
      await talk(backup, days, [alice], [bob])
      await talk(backup, 500, [alice])
      await taken(bob)
      backup.restore()
      await pass(backup.world, 60_000, bob, alice)
      backup.world.now += days * 86_400_000
      await only(alice).send("can you hear me?")
      await settle(alice, bob)
      const events = await taken(bob)
      assert.deepEqual(said(events), days > 0 ? [] : ["can you hear me?"])
      assert.deepEqual(
        news(events).map((it) => it.split(":")[0]),
        told,
      )
    })
  }

  it("do not keep it from reading in the epoch of a commit that came back", async () => {
    await using backup = new Backup({ inMemory: true })
    const [alice, bob, carol] = (await backup.team("alice", "bob", "carol")) as [Client, Client, Client]
    await backup.make()
    await talk(backup, 200, [alice], [bob])
    await only(alice).refresh()
    await talk(backup, 300, [alice], [bob])
    backup.restore()
    await pass(backup.world, 60_000, alice, bob, carol)
    assertOneGroup(alice, bob, carol)
    await only(alice).send("can you hear me?")
    await settle(alice, bob, carol)
    const events = await taken(carol)
    assert.deepEqual(said(events), ["can you hear me?"])
    assert.deepEqual(news(events), ["restored", "refreshed"])
  })
})
