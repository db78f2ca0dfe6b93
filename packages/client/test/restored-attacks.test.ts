import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { describe, it } from "node:test"
import { decode, encode } from "@conclave/codec"
import { type DeliveryRequest, DeliveryResponse, deliveryRequests, type Entry } from "@conclave/contracts/delivery"
import { nextDue } from "../src/conversation/next.js"
import { quietUntil } from "../src/conversation/restored.js"
import type { ConversationHandle } from "../src/device/handle.js"
import { type Client, type ClientOptions, MemoryProfile, memoryStore } from "../src/index.js"
import { told as kinds } from "./support/backup.js"
import { Power, storeOn } from "./support/faults.js"
import { isWhole } from "./support/long.js"
import { noise } from "./support/mallory.js"
import { assertOneGroup } from "./support/team.js"
import { type Branch, provider, settle, taken, World } from "./support/world.js"

const only = (client: Client) => [...client.conversations.values()][0]!
const texts = async (client: Client) => (await only(client).history({ limit: 1_000 })).map(({ text }) => text)
const idOf = (client: Client) => new Uint8Array(Buffer.from(only(client).id, "hex"))
const stateOf = (client: Client) => (only(client) as ConversationHandle).driver.state

type Tamper = (request: DeliveryRequest, answer: DeliveryResponse) => DeliveryResponse
/** A client that asks so often without a pause has gone round in a circle. */
const REQUESTS_MAX = 200

/** Clients whose service can be put back to what it was, and lies. */
class Lab implements AsyncDisposable {
  readonly world = new World()
  shown: Branch = this.world.branch
  /** Requests since it was set. */
  requests = 0
  readonly tamper = new Map<string, Tamper>()

  async open(name: string, options: Partial<ClientOptions> = {}): Promise<Client> {
    const delivery: ClientOptions["delivery"] = {
      request: async (body, options) => {
        if (++this.requests > REQUESTS_MAX) throw new Error("this client asks without a pause")
        const answer = await this.shown.transport.request(body, options)
        const tamper = this.tamper.get(name)
        if (tamper === undefined) return answer
        return encode(DeliveryResponse, tamper(deliveryRequests.decode(body), decode(DeliveryResponse, answer)))
      },
      subscribe: (body, options) => this.shown.transport.subscribe(body, options),
      [Symbol.asyncDispose]: async () => {},
    }
    return this.world.open(name, { delivery, ...options })
  }

  async team(...names: readonly string[]): Promise<readonly Client[]> {
    const clients: Client[] = []
    for (const name of names) clients.push(await this.open(name))
    await clients[0]!.createConversation({ title: "team", members: names.slice(1) })
    await settle(...clients)
    for (const client of clients) await only(client).send("before the backup")
    await settle(...clients)
    for (const client of clients) await taken(client)
    return clients
  }

  /** Everybody looks again and again, until this time is over. */
  async pass(milliseconds: number, ...clients: readonly Client[]): Promise<void> {
    for (let at = 0; at < milliseconds; at += 5_000) {
      this.world.now += 5_000
      for (const client of clients) {
        this.requests = 0
        await client.sync().catch((error) => {
          if (this.requests > REQUESTS_MAX) throw error
        })
      }
    }
    this.requests = 0
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.world[Symbol.asyncDispose]()
  }
}

const isOf = (type: DeliveryRequest["type"]) => (request: DeliveryRequest) => request.type === type

describe("a service that calls itself restored", () => {
  it("cannot keep a client asking for the place where the logs part", async () => {
    await using lab = new Lab()
    const [alice, bob] = (await lab.team("alice", "bob")) as [Client, Client]
    const backup = await lab.world.restore()
    await only(alice).refresh()
    await settle(alice, bob)
    lab.shown = backup
    lab.requests = 0
    let first: Entry | undefined
    lab.tamper.set("bob", (request, answer) => {
      if (answer.type !== "entries" || !isOf("read")(request)) return answer
      first ??= answer.entries[0]
      return first === undefined ? answer : { ...answer, entries: [first] }
    })
    await bob.sync().catch(() => {})
    assert.ok(lab.requests < 100, `${lab.requests}`)
  })

  it("cannot keep a client appending what it has accepted and does not show", async () => {
    await using lab = new Lab()
    const [alice, bob] = (await lab.team("alice", "bob")) as [Client, Client]
    const backup = await lab.world.restore()
    const shown = await lab.world.branch.entries(only(alice))
    await only(alice).refresh()
    await settle(alice, bob)
    lab.shown = backup
    const headSeq = shown.at(-1)!.seq
    lab.tamper.set("bob", (_, answer) => {
      if (answer.type === "entries") {
        return { ...answer, headSeq, entries: answer.entries.filter(({ seq }) => seq <= headSeq) }
      }
      if (answer.type === "head") return { ...answer, headSeq, chainHash: shown.at(-1)!.chainHash }
      return answer
    })
    lab.requests = 0
    await lab.pass(60_000, bob)
  })

  it("cannot keep a client asking what it says of itself, by another incarnation with each page", async () => {
    await using lab = new Lab()
    const [alice, bob] = (await lab.team("alice", "bob")) as [Client, Client]
    let incarnation = 10n
    lab.tamper.set("bob", (_, answer) =>
      answer.type === "entries" ? { ...answer, incarnation: incarnation++ } : answer,
    )
    await only(alice).send("hello")
    lab.requests = 0
    await bob.sync().catch(() => {})
    assert.ok(lab.requests < 100, `${lab.requests}`)
  })

  it("cannot keep a client asking what it says of itself, by denying what it would show", async () => {
    await using lab = new Lab()
    const [alice, bob] = (await lab.team("alice", "bob")) as [Client, Client]
    lab.tamper.set("bob", (request, answer) =>
      request.type === "read" ? { type: "denied", groupId: request.groupId, reason: "no" } : answer,
    )
    lab.requests = 0
    await bob.sync().catch(() => {})
    assert.ok(lab.requests < 100, `${lab.requests}`)
    assert.equal(only(alice).status, "active")
  })

  it("is asked less and less often where it has lost too much", async () => {
    await using lab = new Lab()
    const [alice, bob] = (await lab.team("alice", "bob")) as [Client, Client]
    const backup = await lab.world.restore()
    for (let n = 0; n < 20; n++) await only(alice).refresh()
    await settle(alice, bob)
    lab.shown = backup
    lab.world.now += 5_000
    await bob.sync().catch(() => {})
    let requests = 0
    for (let at = 0; at < 1_000; at++) {
      lab.world.now += 2_000
      lab.requests = 0
      await (only(bob) as ConversationHandle).driver.runner.once().catch(() => {})
      requests += lab.requests
    }
    assert.ok(requests < 400, `${requests}`)
  })
})

describe("the quiet after a restored backup", () => {
  it("is no reason to wait for its end with a message that the service took no room for", async () => {
    await using lab = new Lab()
    const [alice, bob] = (await lab.team("alice", "bob")) as [Client, Client]
    lab.shown = await lab.world.restore()
    await only(alice).send("hello")
    await bob.sync()
    const { driver } = only(bob) as ConversationHandle
    assert.ok(quietUntil(driver.state, driver.moment()) !== undefined)
    lab.tamper.set("bob", (request, answer) =>
      request.type === "append" ? { type: "quotaExceeded", of: "group" } : answer,
    )
    const sent = only(bob).send("hello, Alice")
    await driver.runner.once()
    assert.equal(driver.state.obstacle.type, "deferred")
    assert.ok(nextDue(driver.state, driver.moment())! <= lab.world.now + 5_000)
    lab.tamper.delete("bob")
    await lab.pass(5_000, bob)
    await sent
  })
})

describe("a service that is restored more than once", () => {
  it("is followed to an older backup, too", async () => {
    await using lab = new Lab()
    const [alice, bob] = (await lab.team("alice", "bob")) as [Client, Client]
    const older = lab.world.fork()
    await only(alice).send("one")
    await only(bob).refresh()
    await settle(alice, bob)
    const newer = await lab.world.restore()
    await only(alice).refresh()
    await settle(alice, bob)
    lab.shown = newer
    await settle(alice, bob)
    for (const client of [alice, bob]) assert.ok(!(await kinds(client)).includes("missing"))
    lab.shown = await lab.world.restore(older, 2)
    await lab.pass(120_000, alice, bob)
    assert.deepEqual(await kinds(alice), ["restored"])
    assertOneGroup(alice, bob)
    await only(alice).send("we are back")
    await settle(alice, bob)
    assert.equal((await texts(bob)).at(-1), "we are back")
  })

  it("is followed before it has shown anything of the first one", async () => {
    await using lab = new Lab()
    const [alice, bob] = (await lab.team("alice", "bob")) as [Client, Client]
    const older = lab.world.fork()
    await only(alice).send("one")
    await settle(alice, bob)
    const newer = await lab.world.restore()
    await only(alice).send("two")
    await settle(alice, bob)
    lab.shown = newer
    await bob.sync()
    lab.shown = await lab.world.restore(older, 2)
    await lab.pass(60_000, alice, bob)
    assert.deepEqual(await kinds(bob), ["restored", "restored"])
    await only(alice).send("three")
    await settle(alice, bob)
    assert.deepEqual((await texts(bob)).slice(-3), ["one", "two", "three"])
  })

  it("is followed to the same backup a second time", async () => {
    await using lab = new Lab()
    const [alice, bob] = (await lab.team("alice", "bob")) as [Client, Client]
    const first = await lab.world.restore()
    const second = await lab.world.restore()
    lab.shown = first
    await only(alice).send("one")
    await settle(alice, bob)
    await only(bob).send("two")
    await settle(alice, bob)
    for (const client of [alice, bob]) await taken(client)
    lab.shown = second
    await lab.pass(60_000, alice, bob)
    assert.deepEqual(await kinds(alice), ["restored"])
  })
})

describe("what a restored service has lost", () => {
  it("is noticed where the log is as long as the one that was read", async () => {
    await using lab = new Lab()
    const [alice, bob, carol] = (await lab.team("alice", "bob", "carol")) as [Client, Client, Client]
    const backup = await lab.world.restore()
    await only(alice).send("lost")
    await settle(alice, bob)
    for (const client of [alice, bob]) await taken(client)
    lab.shown = backup
    await carol.sync()
    await only(carol).send("in its place")
    await lab.pass(5_000, alice, bob)
    for (const client of [alice, bob]) {
      assert.deepEqual(await kinds(client), ["restored"])
      assert.deepEqual((await texts(client)).slice(-2), ["lost", "in its place"])
    }
  })

  it("comes back though somebody has used up the id of the request", async () => {
    await using lab = new Lab()
    const [alice, bob] = (await lab.team("alice", "bob")) as [Client, Client]
    const backup = await lab.world.restore()
    await only(alice).refresh()
    await settle(alice, bob)
    const lost = (await lab.world.branch.entries(only(alice))).at(-1)!
    lab.shown = backup
    const idempotencyId = new Uint8Array(
      createHash("sha256").update("conclave again 2 ").update(idOf(alice)).update(lost.body).digest().subarray(0, 16),
    )
    await squat(backup, alice, { ...lost, kind: "application", body: provider.random(100) }, idempotencyId, lab.world)
    await lab.pass(120_000, alice, bob)
    assert.equal(stateOf(alice).kept.lost.length, 0)
    assertOneGroup(alice, bob)
  })

  it("is taken for back in its order alone", async () => {
    await using lab = new Lab()
    const [alice, bob, carol] = (await lab.team("alice", "bob", "carol")) as [Client, Client, Client]
    await lab.open("dave")
    await lab.open("erin")
    const backup = await lab.world.restore()
    await only(alice).invite("dave")
    await only(alice).invite("erin")
    await settle(alice, bob)
    const [one, two] = (await lab.world.branch.entries(only(alice))).filter(({ kind }) => kind === "commit").slice(-2)
    lab.shown = backup
    await backup.place(only(carol), two!)
    await backup.place(only(carol), one!)
    await lab.pass(120_000, alice, bob, carol)
    assertOneGroup(alice, bob, carol)
  })

  it("comes before what is of a later epoch", async () => {
    await using lab = new Lab()
    const clients = (await lab.team("alice", "bob", "carol", "erin")) as [Client, Client, Client, Client]
    const [alice, bob, carol, erin] = clients
    await lab.open("dave")
    const backup = await lab.world.restore()
    await only(alice).refresh()
    await settle(alice, bob, carol)
    // An honest commit, which Alice and Bob have not read.
    await only(carol).invite("dave")
    const later = (await lab.world.branch.entries(only(carol))).findLast(({ kind }) => kind === "commit")!
    assert.equal(later.begins, undefined)
    await carol.close()
    lab.shown = backup
    await backup.place(only(erin), later)
    await lab.pass(60_000, alice, bob, erin)
    assertOneGroup(alice, bob, erin)
  })

  it("is not taken for back without the interval that it began", async () => {
    await using lab = new Lab()
    const [alice, bob, carol] = (await lab.team("alice", "bob", "carol")) as [Client, Client, Client]
    const backup = await lab.world.restore()
    await only(alice).refresh()
    await settle(alice, bob)
    const lost = (await lab.world.branch.entries(only(alice))).at(-1)!
    lab.shown = backup
    await backup.place(only(carol), { ...lost, begins: undefined })
    await lab.pass(720_000, alice, bob, carol)
    assertOneGroup(alice, bob, carol)
  })

  it("is not given up for a commit of long ago", async () => {
    await using lab = new Lab()
    const [alice, bob, carol] = (await lab.team("alice", "bob", "carol")) as [Client, Client, Client]
    const old = (await lab.world.branch.entries(only(alice))).find(({ kind }) => kind === "commit")!
    await only(alice).refresh()
    await only(alice).refresh()
    await settle(alice, bob, carol)
    const backup = await lab.world.restore()
    await only(alice).refresh()
    await settle(alice, bob)
    lab.shown = backup
    await backup.place(only(carol), { ...old, begins: undefined })
    await lab.pass(120_000, alice, bob, carol)
    for (const client of [alice, bob]) assert.ok(!(await kinds(client)).includes("stuck"))
    assertOneGroup(alice, bob, carol)
  })

  it("is not given up for a commit where it is a request to leave", async () => {
    await using lab = new Lab()
    const [alice, bob, carol] = (await lab.team("alice", "bob", "carol")) as [Client, Client, Client]
    const old = (await lab.world.branch.entries(only(alice))).find(({ kind }) => kind === "commit")!
    await only(alice).refresh()
    await settle(alice, bob, carol)
    const backup = await lab.world.restore()
    await only(carol).leave()
    await settle(alice, bob)
    lab.shown = backup
    await backup.place(only(alice), { ...old, begins: undefined })
    await lab.pass(120_000, alice, bob, carol)
    await lab.pass(660_000, alice, bob, carol)
    const told = await kinds(alice)
    assert.ok(!told.includes("stuck"), told.join())
    assertOneGroup(alice, bob)
  })

  it("stops all by garbage in its place, where all were ahead: one click, and they go on", async () => {
    await using lab = new Lab()
    const [alice, bob] = (await lab.team("alice", "bob")) as [Client, Client]
    const backup = await lab.world.restore()
    await only(alice).refresh()
    await settle(alice, bob)
    const lost = (await lab.world.branch.entries(only(alice))).at(-1)!
    lab.shown = backup
    await backup.place(only(alice), { ...lost, body: noise(idOf(alice), lost.epoch), begins: undefined })
    await lab.pass(1_200_000, alice, bob)
    for (const client of [alice, bob]) assert.equal(only(client).status, "recovering")
    const again = await only(alice).restart()
    await lab.pass(10_000, alice, bob)
    await bob.conversations.get(again.id)!.accept()
    await again.send("we go on")
    await lab.pass(10_000, alice, bob)
    assert.equal((await bob.conversations.get(again.id)!.history()).at(-1)?.text, "we go on")
  })

  it("may be the commit that brought a member in", async () => {
    await using lab = new Lab()
    const [alice, bob, carol] = (await lab.team("alice", "bob", "carol")) as [Client, Client, Client]
    const dave = await lab.open("dave")
    const backup = await lab.world.restore()
    // One commit, which has a path.
    await Promise.all([only(alice).invite("dave"), only(alice).refresh()])
    await settle(alice, bob, dave)
    assert.ok((await lab.world.branch.entries(only(alice))).some(({ epoch, begins }) => epoch === 1n && begins))
    await only(dave).send("I am here")
    await settle(alice, bob, dave)
    lab.shown = backup
    // Dave is the first to see it.
    await lab.pass(5_000, dave)
    await lab.pass(120_000, alice, bob, carol, dave)
    assertOneGroup(alice, bob, carol, dave)
    await only(alice).send("hello, Dave")
    await lab.pass(10_000, alice, bob, carol, dave)
    assert.equal((await texts(dave)).at(-1), "hello, Dave")
  })

  it("may be what was said before a member came", async () => {
    await using lab = new Lab()
    const [alice, bob] = (await lab.team("alice", "bob")) as [Client, Client]
    const dave = await lab.open("dave")
    const backup = await lab.world.restore()
    await only(alice).send("lost")
    await only(alice).invite("dave")
    await settle(alice, bob, dave)
    lab.shown = backup
    await lab.pass(900_000, alice, bob, dave)
    assertOneGroup(alice, bob, dave)
    await only(alice).send("hello, Dave")
    await lab.pass(10_000, alice, bob, dave)
    assert.equal((await texts(dave)).at(-1), "hello, Dave")
  })

  it("may be an invitation: the next one arrives", async () => {
    await using lab = new Lab()
    const [alice, bob] = (await lab.team("alice", "bob")) as [Client, Client]
    const dave = await lab.open("dave")
    const backup = await lab.world.restore()
    await only(alice).invite("dave")
    await settle(alice, bob, dave)
    lab.shown = backup
    await lab.pass(60_000, alice, bob, dave)
    const other = await bob.createConversation({ members: ["dave"] })
    await lab.pass(60_000, alice, bob, dave)
    assert.ok(dave.conversations.has(other.id))
  })

  it("comes back though a device crashes at any point", async () => {
    const points = await run(-1)
    assert.ok(points >= 10, `only ${points} points`)
    for (let point = 0; point < points; point += isWhole ? 1 : 3) {
      await run(point).catch((cause) => {
        throw new Error(`point ${point} of ${points}`, { cause })
      })
    }
    async function run(point: number): Promise<number> {
      await using lab = new Lab()
      const profile = new MemoryProfile()
      let power = new Power(Number.POSITIVE_INFINITY)
      const open = () => lab.open("bob", { store: storeOn(power, memoryStore(profile)) })
      const alice = await lab.open("alice")
      const bob = await open()
      const carol = await lab.open("carol")
      await alice.createConversation({ title: "team", members: ["bob", "carol"] })
      await settle(alice, bob, carol)
      const backup = await lab.world.restore()
      await only(alice).refresh()
      await settle(alice, bob)
      await only(bob).refresh()
      await settle(alice, bob)
      await alice.close()
      await bob.close()
      lab.shown = backup
      power = new Power(point < 0 ? Number.POSITIVE_INFINITY : point)
      const crashing = await open().catch(() => undefined)
      await crashing?.sync().catch(() => {})
      lab.world.now += 3_000
      await crashing?.sync().catch(() => {})
      await crashing?.close().catch(() => {})
      const { passed } = power
      power = new Power(Number.POSITIVE_INFINITY)
      const again = await open()
      await lab.pass(30_000, again, carol)
      assertOneGroup(again, carol)
      return passed
    }
  })
})

async function squat(branch: Branch, client: Client, entry: Entry, idempotencyId: Uint8Array, world: World) {
  const { id: groupId } = stateOf(client)
  const { kind, epoch, body } = entry
  const append = (after: bigint) =>
    branch.store.append({
      ...{ groupId, key: undefined, permit: () => undefined, admit: () => undefined },
      ...{ idempotencyId, requestHash: provider.random(32), kind: kind as "application", epoch, body },
      ...{ at: BigInt(world.now), pastCommitsMax: 1_000, after, commit: undefined },
    })
  const first = await append(0n)
  const appended = first.type === "stale" ? await append(first.lastCommitSeq) : first
  assert.equal(appended.type, "accepted")
}
