import assert from "node:assert/strict"
import { after, describe, it, type TestContext } from "node:test"
import { type Client, type ClientEvent, type Conversation, openClient } from "@conclave/client/node"
import { noAccess } from "@conclave/contracts/access"
import { deliveryRequests } from "@conclave/contracts/delivery"
import { noPostgres, type PostgresServer, startPostgres } from "@conclave/testing/servers"
import { isHandedOver, type Transport } from "@conclave/transport"
import { connect } from "@conclave/transport/node"
import { Balancer } from "./balancer.js"
import { Folder, Service } from "./support.js"

let server: Promise<PostgresServer> | undefined
const postgres = () => (server ??= startPostgres())
after(async () => (await server)?.[Symbol.asyncDispose]())

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

async function until(what: string, is: () => boolean | Promise<boolean>): Promise<void> {
  const begin = performance.now()
  while (!(await is())) {
    assert.ok(performance.now() - begin < 60_000, `waited in vain: ${what}`)
    await pause(20)
  }
}

/** Three gateways on one database, and what stands before them. */
async function cluster(test: TestContext, database: string, drain: string) {
  const url = await (await postgres()).url(database)
  const start = (port = 0) =>
    Service.start(new Folder(), port, {
      words: ["--drain", drain],
      environment: { DATABASE_URL: url },
    })
  const gateways = await Promise.all([start(), start(), start()])
  const balancer = await Balancer.start(gateways.map(({ port }) => port))
  const said: string[] = []
  test.after(async () => {
    await balancer[Symbol.asyncDispose]()
    for (const gateway of gateways) await gateway[Symbol.asyncDispose]()
  })
  return {
    gateways,
    address: balancer.address,
    /** What gateways have said that were restarted. */
    said,
    /** As a supervisor does, at the same port. */
    async restart(at: number) {
      const { port } = gateways[at]!
      assert.equal(await gateways[at]!.stop("SIGTERM"), 0)
      said.push(gateways[at]!.errors)
      await gateways[at]![Symbol.asyncDispose]()
      gateways[at] = await start(port)
    },
  }
}

/** In the order of their numbers; what has been told so far. */
function listening(client: Client): ClientEvent[] {
  const events: ClientEvent[] = []
  const listen = async () => {
    for await (const event of client.events()) events.push(event)
  }
  listen().catch(() => {})
  return events
}

/** For how long a client had no stream, in milliseconds, each time. */
function offline(client: Client): number[] {
  const times: number[] = []
  let since: number | undefined
  client.observe(() => {
    if (client.online === (since === undefined)) return
    if (since !== undefined) times.push(performance.now() - since)
    since = since === undefined ? performance.now() : undefined
  })
  return times
}

/** Kinds of events that say of nothing that went wrong. */
const quiet = new Set<ClientEvent["type"]>(["joined", "members", "message", "sent", "title", "refreshed"])

describe("three gateways on one database", { skip: noPostgres, timeout: 120_000 }, () => {
  it("are restarted one after the other, twice, and 20 people who talk all the time notice nothing", async (test) => {
    const { address, restart, said } = await cluster(test, "rolling", "0.8")
    const folder = new Folder()
    const names = Array.from({ length: 20 }, (_, at) => `person-${at}`)
    const people = await Promise.all(
      names.map(async (name) => {
        const place = { service: address, profile: folder.file(name), sealingKey: new Uint8Array(32).fill(1) }
        return openClient({ name, ...place })
      }),
    )
    test.after(async () => {
      await Promise.all(people.map((client) => client.close()))
      folder[Symbol.dispose]()
    })
    const events = people.map(listening)
    const away = people.map(offline)
    // Five conversations of four.
    const rooms = [0, 4, 8, 12, 16]
    for (const first of rooms) {
      await people[first]!.createConversation({ title: "room", members: names.slice(first + 1, first + 4) })
    }
    await until("everybody is in", () => people.every(({ conversations }) => conversations.size === 1))
    const talk = new AbortController()
    const sent: string[][] = people.map(() => [])
    const talking = people.map(async ({ conversations }, at) => {
      const [conversation] = conversations.values() as Iterable<Conversation> as [Conversation]
      for (let number = 0; !talk.signal.aborted; number++) {
        const text = `${names[at]} says ${number}`
        sent[at]!.push(text)
        await conversation.send(text)
        await pause(100)
      }
    })
    for (let round = 0; round < 2; round++) for (let at = 0; at < 3; at++) await restart(at)
    talk.abort()
    await Promise.all(talking)
    const textsOf = (at: number) => events[at]!.flatMap((it) => (it.type === "message" ? [`${it.text}`] : []))
    const expected = (at: number) => {
      const first = at - (at % 4)
      return [first, first + 1, first + 2, first + 3].flatMap((it) => (it === at ? [] : sent[it]!)).sort()
    }
    await until("all that was said is heard", () => people.every((_, at) => textsOf(at).length >= expected(at).length))
    for (const at of people.keys()) {
      assert.deepEqual(textsOf(at).sort(), expected(at), `${names[at]} has heard each message once`)
      const loud = events[at]!.filter(({ type }) => !quiet.has(type))
      assert.deepEqual(loud, [], `${names[at]} was told of nothing else`)
    }
    const all = sent.flat().length
    assert.ok(all >= 20 * 10, `${all} messages`)
    const longest = Math.max(...away.flat(), 0)
    test.diagnostic(`${all} messages; ${away.flat().length} times offline, at most ${Math.round(longest)} ms`)
    for (const errors of said) {
      assert.match(errors, /^SIGTERM: handing clients over .*\nSIGTERM: answering what is under way, then closing\n$/)
    }
  })

  it("hand 500 subscriptions over when one is restarted, to the others", async (test) => {
    const { gateways, address } = await cluster(test, "moving", "2")
    const followers = Array.from({ length: 500 }, () => new Follower(address))
    test.after(() => Promise.all(followers.map((follower) => follower.end())))
    await until("all are subscribed", () => followers.every(({ begun }) => begun === 1))
    const begin = performance.now()
    assert.equal(await gateways[0]!.stop("SIGTERM"), 0)
    const stopped = performance.now()
    await until("all are subscribed again", () => followers.every(({ isOpen }) => isOpen))
    const moved = followers.filter(({ begun }) => begun > 1)
    const gaps = moved.map(({ gap }) => gap).sort((a, b) => a - b)
    // Each that was there had to go, once; nobody else.
    assert.ok(moved.length > 100 && moved.length < 250, `${moved.length} have moved`)
    assert.deepEqual(
      moved.filter(({ begun, isHandedOver }) => begun !== 2 || !isHandedOver),
      [],
    )
    const part = (share: number) => `${Math.round(gaps[Math.floor(share * (gaps.length - 1))]!)} ms`
    test.diagnostic(
      `${moved.length} subscriptions moved while the gateway took ${Math.round(stopped - begin)} ms to end; each was away for ` +
        `${part(0.5)} (median), ${part(0.99)} (99 of 100), ${part(1)} (longest)`,
    )
  })
})

/** Follows a group through a line of its own, and comes back at once where it breaks, as a client does. */
class Follower {
  /** Subscriptions that were answered. */
  begun = 0
  isOpen = false
  isHandedOver = true
  /** The longest time between the end of one and the answer to the next, in milliseconds. */
  gap = 0
  readonly #ended = new AbortController()
  readonly #done: Promise<void>

  constructor(address: string) {
    this.#done = this.#follow(connect(new URL("delivery", `${address}/`)))
  }

  async #follow(transport: Transport): Promise<void> {
    const { signal } = this.#ended
    await using _ = transport
    let lostAt: number | undefined
    while (!signal.aborted) {
      try {
        for await (const _ of transport.subscribe(SUBSCRIBE, { signal })) {
          if (this.isOpen) continue
          this.isOpen = true
          this.begun++
          if (lostAt !== undefined) this.gap = Math.max(this.gap, performance.now() - lostAt)
        }
      } catch (error) {
        if (signal.aborted) return
        if (this.isOpen) this.isHandedOver &&= isHandedOver(error)
        // A gateway that is about to end has refused it: the balancer has not noticed yet.
        else await pause(100 * Math.random())
      }
      if (this.isOpen) lostAt = performance.now()
      this.isOpen = false
    }
  }

  async end(): Promise<void> {
    this.#ended.abort()
    await this.#done
  }
}

const SUBSCRIBE = deliveryRequests.encode({
  ...{ type: "subscribe", proof: undefined, inboxAfter: 0n },
  cursors: [{ groupId: new Uint8Array(32), afterSeq: 0n, access: noAccess }],
})
