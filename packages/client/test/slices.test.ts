import assert from "node:assert/strict"
import { afterEach, beforeEach, describe, it } from "node:test"
import type { CryptoProvider } from "@conclave/crypto"
import { disposeOf } from "../src/conversation/question.js"
import type { ConversationHandle } from "../src/device/handle.js"
import { openDevice } from "../src/device/open.js"
import { type Client, type ClientOptions, type Conversation, memoryStore, type Store } from "../src/index.js"
import { recordKeys } from "../src/records/records.js"
import { inSlices, type Slicing, slicingBy } from "../src/slices.js"
import { answered, tampered } from "./support/tampered.js"
import { provider, settle, taken, World } from "./support/world.js"

const only = (client: Client): Conversation => [...client.conversations.values()][0]!
const names = Array.from({ length: 6 }, (_, index) => `guest-${index}`)

/** Every slice is as short as may be; what happens in between is the test's affair. */
class FakeSlicing implements Slicing {
  readonly membersMin = 2
  turns = 0
  /** Called between two slices. */
  between: (turn: number) => Promise<unknown> | undefined = () => undefined

  begin(): () => boolean {
    return () => true
  }

  async turn(): Promise<void> {
    await this.between(this.turns++)
  }
}

/** The provider, and how many key packages it has judged since it was asked last. */
function counting(): { readonly provider: CryptoProvider; take(): number } {
  let judged = 0
  const mark = new TextEncoder().encode("KeyPackageTBS").join()
  const { Ed25519 } = provider.signatures
  const verify: NonNullable<typeof Ed25519>["verify"] = (key, message, signature) => {
    // SignContent begins with its label (RFC 9420 §5.1.2).
    if (message.subarray(0, 32).join().includes(mark)) judged++
    return Ed25519!.verify(key, message, signature)
  }
  const signatures = { ...provider.signatures, Ed25519: { ...Ed25519!, verify } }
  return {
    provider: { ...provider, signatures },
    take() {
      const before = judged
      judged = 0
      return before
    },
  }
}

describe("an answer that nobody uses", () => {
  it("is disposed of, whatever was worked on in slices", () => {
    for (const to of ["make", "open", "enter"] as const) {
      let isDisposed = false
      const done = { [Symbol.dispose]: () => (isDisposed = true) }
      disposeOf({ to, answer: { done } } as unknown as Parameters<typeof disposeOf>[0])
      assert.ok(isDisposed, to)
      disposeOf({ to, answer: { failure: new Error("it failed") } } as unknown as Parameters<typeof disposeOf>[0])
    }
  })
})

describe("work on a large group", () => {
  let world: World
  let slicing: FakeSlicing
  const clients: Client[] = []
  beforeEach(() => {
    world = new World({ inMemory: true })
    slicing = new FakeSlicing()
  })
  afterEach(async () => {
    for (const client of clients.splice(0)) await client.close()
    await world[Symbol.asyncDispose]()
  })

  async function open(name: string, options: Partial<ClientOptions> = {}, by: Slicing = slicing): Promise<Client> {
    const client = await openDevice({ ...world.options(name), ...options }, { slicing: by })
    clients.push(client)
    return client
  }

  /** Alice with bob, and guests who can be invited; from here on turns are counted. */
  async function scene(options: Partial<ClientOptions> = {}) {
    const alice = await open("alice", options)
    const bob = await world.open("bob")
    const guests: Client[] = []
    for (const name of names) guests.push(await world.open(name))
    const team = await alice.createConversation({ title: "team", members: ["bob"] })
    await settle(alice, bob)
    slicing.turns = 0
    return { alice, bob, guests, team }
  }

  it("judges at most one key package between two turns of the event loop", async () => {
    const counted = counting()
    const { alice, bob, team } = await scene({ provider: counted.provider })
    counted.take()
    const each: number[] = []
    slicing.between = async () => void each.push(counted.take())
    await team.invite(...names)
    await alice.sync()
    each.push(counted.take())
    assert.ok(slicing.turns > names.length, `only ${slicing.turns} turns`)
    assert.equal(Math.max(...each), 1, `${each}`)
    assert.equal(
      each.reduce((sum, judged) => sum + judged, 0),
      names.length,
    )
    await bob.sync()
    assert.deepEqual(only(bob).members, ["alice", "bob", ...names])
  })

  it("judges as few where another one has made the commit, and where this device enters by it", async () => {
    const counted = counting()
    const dora = await open("dora", { provider: counted.provider })
    const { alice, team } = await scene()
    await team.invite("dora")
    await settle(alice, dora)
    counted.take()
    slicing.turns = 0
    const each: number[] = []
    slicing.between = async () => void each.push(counted.take())
    await team.invite(...names)
    await alice.sync()
    each.length = 0
    await dora.sync()
    each.push(counted.take())
    assert.equal(Math.max(...each), 1, `${each}`)
    assert.equal(
      each.reduce((sum, judged) => sum + judged, 0),
      names.length,
    )
    assert.deepEqual(only(dora).members, ["alice", "bob", "dora", ...names])

    const guest = await open("late")
    await team.invite("late")
    await alice.sync()
    slicing.turns = 0
    slicing.between = () => undefined
    await guest.sync()
    assert.ok(slicing.turns > names.length, `entered in ${slicing.turns} turns`)
    assert.deepEqual(only(guest).members, only(alice).members)
  })

  it("goes on in slices where a member lets this device in again, and where it enters by that", async () => {
    let isBroken = false
    const delivery = answered(world.transport("delivery"), (request, answer) =>
      isBroken && request.type === "read" && answer.type === "entries"
        ? { type: "belowRetention", groupId: answer.groupId, oldestSeq: 1_000n }
        : answer,
    )
    const { alice, bob, team } = await scene()
    const dora = await open("dora", { delivery })
    await team.invite("dora")
    await settle(alice, bob, dora)
    for (const client of [alice, bob, dora]) await only(client).refresh()
    await settle(alice, bob, dora)
    const asked = new Set<string>()
    const { driver } = only(dora) as ConversationHandle
    const { driver: letsIn } = team as ConversationHandle
    slicing.between = async () => {
      for (const { state } of [driver, letsIn]) if (state.asking !== undefined) asked.add(state.asking.type)
    }
    await team.send("what dora cannot follow")
    isBroken = true
    await dora.sync()
    isBroken = false
    assert.equal(only(dora).status, "recovering")
    await settle(alice, dora, alice, dora)
    assert.equal(only(dora).status, "active")
    assert.ok(asked.has("make") && asked.has("enter"), `${[...asked]}`)
    assert.equal(only(dora).epoch, team.epoch)
    assert.ok((await taken(dora)).some(({ type }) => type === "recovered"))
  })

  it("begins again where another commit has arrived between two slices, and sends nothing of the first attempt", async () => {
    const sent: bigint[] = []
    const delivery = tampered(world.transport("delivery"), async (request, pass) => {
      if (request.type === "append" && request.kind === "commit") sent.push(request.epoch)
      return pass()
    })
    const memory = memoryStore()
    let stored = 0
    let id = ""
    const store: Store = {
      ...{ lost: memory.lost, get: memory.get.bind(memory), list: memory.list.bind(memory) },
      transaction(changes) {
        if ([...changes.put.keys()].some((key) => key === recordKeys.commit(id))) stored++
        return memory.transaction(changes)
      },
      [Symbol.asyncDispose]: () => memory[Symbol.asyncDispose](),
    }
    const { alice, bob, team } = await scene({ delivery, store })
    id = team.id
    sent.length = 0
    const before = only(alice) as ConversationHandle
    const { cursor } = before.driver.state.position
    slicing.between = async (turn) => {
      if (turn !== 4) return
      await only(bob).refresh()
      await bob.sync()
      // As the stream would.
      const entries = await world.branch.entries(team, cursor)
      before.driver.bring({ type: "brought", entries, headSeq: entries.at(-1)!.seq, told: undefined })
    }
    const { epoch } = team
    await team.invite(...names)
    await settle(alice, bob)
    assert.deepEqual(sent, [epoch + 1n])
    assert.equal(stored, 1, "the first one was stored")
    assert.deepEqual(only(bob).members, ["alice", "bob", ...names])
    assert.equal(only(bob).epoch, team.epoch)
  })

  it("does not begin again for messages that arrive meanwhile", async () => {
    const { alice, bob, team } = await scene()
    const { driver } = only(alice) as ConversationHandle
    const { cursor } = driver.state.position
    const attempts = new Set<number>()
    slicing.between = async (turn) => {
      if (driver.state.asking?.type === "make") attempts.add(driver.state.asked)
      if (turn !== 4) return
      await only(bob).send("meanwhile")
      const entries = await world.branch.entries(team, cursor)
      driver.bring({ type: "brought", entries, headSeq: entries.at(-1)!.seq, told: undefined })
    }
    await team.invite(...names)
    await settle(alice, bob)
    assert.deepEqual(
      (await team.history()).map(({ text }) => text),
      ["meanwhile"],
    )
    assert.equal(attempts.size, 1)
    assert.deepEqual(only(bob).members, ["alice", "bob", ...names])
  })

  it("ends with the client, and leaves no secret, wherever it is closed between two slices", async () => {
    const drawn: Uint8Array[] = []
    const random = (length: number) => {
      const bytes = new Uint8Array(provider.random(length))
      drawn.push(bytes)
      return bytes
    }
    const { alice: first, bob, guests, team } = await scene({ random })
    await team.invite(...names)
    await settle(first, bob, ...guests)
    let alice = first
    const hadSecrets: number[] = []
    for (const [at, closedAt] of [8, 7, 6, 5, 3, 1].entries()) {
      const { driver } = only(alice) as ConversationHandle
      let turns = 0
      let closing: Promise<void> | undefined
      slicing.between = async () => {
        if (driver.state.asking?.type === "make" && ++turns === closedAt) closing = alice.close()
      }
      drawn.length = 0
      await assert.rejects(only(alice).remove(names[at]!), { code: "CLOSED" }, `closed at turn ${closedAt}`)
      await closing
      // Of the size of a secret: what keys are derived from, and what is told to the others.
      const secrets = drawn.filter(({ length }) => length === 32)
      if (secrets.length > 0) hadSecrets.push(closedAt)
      assert.ok(
        secrets.every((secret) => secret.every((byte) => byte === 0)),
        `secrets are left at turn ${closedAt}`,
      )
      // What was wished comes true all the same.
      slicing.between = () => undefined
      alice = await open("alice", { random })
      await settle(alice, bob)
      assert.deepEqual(only(bob).members, ["alice", "bob", ...names.slice(at + 1)])
    }
    assert.deepEqual(hadSecrets.slice(0, 2), [8, 7], "secrets are drawn in the later turns")
  })

  it("fails a wish that cannot come true, with its reason, as it does at once", async () => {
    const { alice, team } = await scene()
    const { driver } = team as ConversationHandle
    // The key packages expire when they have been claimed.
    let isLate = false
    slicing.between = async () => {
      if (driver.state.asking?.type !== "make" || isLate) return
      isLate = true
      world.now += 400 * 86_400_000
    }
    await assert.rejects(team.invite(...names), { code: "WRONG_CLOCK", message: /lifetime/ })
    assert.deepEqual(only(alice).members, ["alice", "bob"])
    assert.ok((await taken(alice)).some((event) => event.type === "failed" && event.code === "WRONG_CLOCK"))
  })

  it("is done at once in a small one", async () => {
    const patient = { membersMin: 32, begin: () => () => false, turn: () => slicing.turn() }
    const alice = await open("alice", {}, patient)
    for (const name of names) await world.open(name)
    await alice.createConversation({ members: names })
    await alice.sync()
    assert.deepEqual([only(alice).members.length, slicing.turns], [names.length + 1, 0])
  })
})

describe("a slice", () => {
  it("ends when its time is over, and no sooner", async () => {
    let now = 0
    let turns = 0
    const timers = {
      after: (_: number, callback: () => void) => {
        turns++
        queueMicrotask(callback)
        return () => {}
      },
      elapsed: () => now,
    }
    const { signal } = new AbortController()
    function* work() {
      for (let unit = 0; unit < 100; unit++) {
        now += 1
        yield
      }
      return "done"
    }
    assert.equal(await inSlices(work(), slicingBy(timers), signal), "done")
    // Units of 1 ms, slices of 8.
    assert.equal(turns, 13)
  })

  it("is the last where the signal is given: the work is left, with the signal's reason", async () => {
    const closing = new AbortController()
    let isLeft = false
    function* work() {
      try {
        for (;;) yield
      } finally {
        isLeft = true
      }
    }
    const reason = new Error("closed")
    let turns = 0
    const slicing: Slicing = {
      membersMin: 1,
      begin: () => () => true,
      async turn() {
        if (++turns === 3) closing.abort(reason)
      },
    }
    await assert.rejects(inSlices(work(), slicing, closing.signal), reason)
    assert.deepEqual([turns, isLeft], [3, true])
  })
})
