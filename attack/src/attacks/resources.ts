import { randomUUID } from "node:crypto"
import { join } from "node:path"
import { decode, encode } from "@conclave/codec"
import { nodeProvider } from "@conclave/crypto/node"
import { Offer, SealedTransport, shareTransport } from "@conclave/fast-open"
import { type Attack, type Outcome, outcome } from "../attack.js"
import { askAuth, encodeAuth } from "../contract.js"
import * as floods from "../floods.js"
import { asking } from "../http.js"
import { describe, Mallory } from "../mallory.js"
import { type Fared, Probe } from "../probe.js"
import { megabytes, watchMemory } from "../service.js"
import { pause, within } from "../timing.js"
import { addresses, type World } from "../world.js"

/** What an honest client elsewhere may wait at most, and what the service's memory may grow by. */
const P99_MAX = 250
const TRIES_MAX = 3
const GROWTH_MAX = 200_000_000

/** What a small service is given (`--connections`): one that has room for ten times as many takes ten times as long. */
const CONNECTIONS = 1_000
export const MORE_THAN_ALL = 1_100
/** What the operator gives the service (`--quota`): one requester has a sixteenth of it. */
const QUOTA = 512 * 1024 * 1024

export interface Flooded {
  readonly elsewhere: Fared
  readonly neighbour: Fared
  readonly before: number
  readonly highest: number
  readonly stored: number
  readonly ended: string | undefined
}

/** A flood from one address for some seconds, and how everybody else fares. */
export async function flood(world: World, attack: floods.Flood, seconds = 4): Promise<Flooded> {
  const service = await world.serve({
    file: join(world.folder, `${randomUUID()}.db`),
    quota: QUOTA,
    connections: CONNECTIONS,
    ...(attack.sealed && { fastOpen: { port: 0, policy: "off" as const } }),
  })
  const storedBefore = service.stored
  const memory = watchMemory(service)
  const end = await attack.start(service.url, addresses.attacker, service.sealedPort)
  const elsewhere = new Probe(service.url, addresses.elsewhere)
  const neighbour = new Probe(service.url, addresses.neighbour)
  await pause(seconds * 1000)
  const fared = await Promise.all([elsewhere.end(), neighbour.end()])
  await end()
  const stored = service.stored - storedBefore
  const { ended } = service
  await service.stop("SIGKILL")
  return { elsewhere: fared[0], neighbour: fared[1], before: memory.before, highest: memory.end(), stored, ended }
}

function flooding(id: string, title: string, attack: floods.Flood, seconds?: number): Attack {
  return {
    id,
    title,
    who: "flood",
    secondsMax: 120,
    async run(world) {
      let last: Outcome | undefined
      // On a machine that others use too, one time says little.
      for (let n = 0; n < TRIES_MAX && last?.succeeded !== false; n++) {
        const { elsewhere, before, highest, ended } = await flood(world, attack, seconds)
        const grown = highest - before
        const died = ended === undefined ? "" : `; the service ended: ${ended}`
        last = outcome(
          elsewhere.p99 > P99_MAX || grown > GROWTH_MAX || ended !== undefined,
          `elsewhere ${elsewhere.words}; memory ${megabytes(before)} to ${megabytes(highest)}${died}`,
        )
      }
      return last!
    },
  }
}

/** In a file that was empty before: what one address may store at most. */
export const STORED_MAX = 64 * 1024 * 1024

const fillsTheDisk: Attack = {
  id: "H10",
  title: "fills the disk from one address with one group and no name",
  who: "stranger",
  async run(world) {
    const service = await world.serve({ quota: QUOTA })
    const mallory = await floods.creator(await world.ask())
    const before = service.stored
    const groupId = mallory.group!.id
    const body = mallory.group!.encrypt(new Uint8Array(1_000_000), { padTo: 0 })
    const answers = new Map<string, number>()
    const started = performance.now()
    for (let n = 0; n < 120 && performance.now() - started < 15_000; n++) {
      const { type } = await mallory.append({ groupId, kind: "application", epoch: 0n, body })
      answers.set(type, (answers.get(type) ?? 0) + 1)
    }
    const grown = service.stored - before
    const said = [...answers].map(([type, count]) => `${count} ${type}`).join(", ")
    return outcome(grown > STORED_MAX, `${said}; stored ${megabytes(grown)} in ${secondsSince(started)} s`)
  },
}

const secondsSince = (started: number) => Math.round((performance.now() - started) / 100) / 10

const squats: Attack = {
  id: "M10a",
  title: "takes names until nobody else gets one",
  who: "flood",
  async run(world) {
    const ask = await world.ask()
    let taken = 0
    let refused = ""
    const started = performance.now()
    const next = async (n: number) => {
      const mallory = await Mallory.come(`squatter-${n}`, ask, { registered: false })
      const answer = await mallory.register(mallory.name)
      if (answer === "registered") taken++
      else refused = answer
    }
    for (let n = 0; n < 1_200 && refused === ""; n += 20) {
      await Promise.all(Array.from({ length: 20 }, (_, k) => next(n + k)))
    }
    const honest = await Mallory.come("honest", await world.ask(addresses.elsewhere), { registered: false })
    const answer = await honest.register("honest")
    return outcome(
      answer !== "registered" || taken > 200,
      `${taken} names in ${secondsSince(started)} s, then ${refused || "more"}; elsewhere: ${answer}`,
    )
  },
}

const emptiesTheStock: Attack = {
  id: "M10b",
  title: "has a person's whole stock of key packages from one address",
  who: "flood",
  async run(world) {
    const bob = await world.mallory("bob")
    const STOCK = 20
    await bob.publish(Array.from({ length: STOCK }, () => bob.keyPackage()))
    const ask = await world.ask()
    const mallory = await Mallory.come("mallory", ask, { registered: false })
    const random = () => crypto.getRandomValues(new Uint8Array(32))
    const claim = (deviceId: Uint8Array) => mallory.delivery({ type: "claimKeyPackage", deviceId, cipherSuite: 1 })
    let taken = 0
    const takeAll = async () => {
      for (;;) {
        const answer = await claim(bob.deviceId)
        if (answer.type !== "keyPackage" || answer.lastResort) return
        taken++
      }
    }
    await takeAll()
    const atOnce = taken
    // What the table of rates remembers is pushed out by devices that do not exist.
    const started = performance.now()
    for (let n = 0; n < 10_300 && performance.now() - started < 25_000; n += 50) {
      await Promise.all(Array.from({ length: 50 }, () => claim(random())))
    }
    await takeAll()
    return outcome(taken > atOnce || taken > 15, `${atOnce} of ${STOCK} at once, ${taken} after the detour`)
  },
}

const forgedForwarding: Attack = {
  id: "M10c",
  title: "is somebody else for each request by saying so in a header",
  who: "flood",
  async run(world) {
    const { url } = await world.service()
    let created = 0
    for (let n = 0; n < 300; n++) {
      const from = `203.0.${n >> 8}.${n & 255}`
      const ask = asking(url, addresses.attacker, { "x-forwarded-for": from, forwarded: `for=${from}` })
      try {
        await floods.creator(ask)
        created++
      } catch {
        break
      }
    }
    return outcome(created > 150, `${created} groups created by one address (a requester has 100 at once)`)
  },
}

const INBOX_MAX = 1_000

/** Welcomes for a device that cannot open them, until the service takes no more; what it said then. */
async function junkFor(mallory: Mallory, victim: string, newcomer: Mallory): Promise<string> {
  const answer = await askAuth(mallory.ask, { type: "lookup", name: victim })
  if (answer.type !== "devices") throw new Error(`lookup: ${answer.type}`)
  const recipients = answer.devices.map(({ deviceId }) => deviceId)
  let [sent, undelivered, refused] = [0, 0, ""]
  const foundAnother = async () => {
    mallory.lastCommit = 0n
    await floods.create(mallory)
  }
  const commits = async (...[changes, to]: Parameters<Mallory["commit"]>) => {
    const answer = await mallory.commit(changes, to)
    if (answer.type !== "accepted") return answer
    if (answer.undelivered.length > 0) undelivered++
    return undefined
  }
  try {
    await foundAnother()
    while (sent < INBOX_MAX + 20 && refused === "") {
      // The same again needs her to be gone.
      const no =
        (await commits({ add: [newcomer.keyPackage().keyPackage] }, recipients)) ??
        (await commits({ remove: [mallory.leafOf(newcomer.name)] }))
      if (no === undefined || no.type === "throttled") sent++
      // A group in which it is not her turn is one of many.
      if (no?.type === "throttled") await foundAnother()
      else if (no !== undefined) refused = describe(no)
    }
  } catch (error) {
    refused = (error as Error).message
  }
  return `${sent} sent, ${undelivered} not delivered, then ${refused || "she ends"}`
}

/** Whom Alice cannot invite, with Bob's inbox full of junk. */
function fillsInboxes(id: string, title: string, others: readonly string[]): Attack {
  return {
    id,
    title,
    who: "stranger",
    secondsMax: 200,
    async run(world) {
      for (const name of ["bob", ...others]) await world.open(name)
      const alice = await world.open("alice")
      const newcomer = await world.mallory("a-newcomer", { registered: false })
      const refused = await junkFor(await world.mallory(), "bob", newcomer)
      const invited = await within(8_000, alice.createConversation({ title: "us", members: ["bob", ...others] }))
      const words = invited.state === "failed" ? invited.error.message : invited.state
      const members = [...alice.conversations.values()].flatMap(({ members }) => members)
      const wanted = others.length === 0 ? ["bob"] : others
      return outcome(
        wanted.some((name) => !members.includes(name)),
        `junk: ${refused}; alice: ${words}, members=[${members}]`,
      )
    },
  }
}

const shutsSealedPort: Attack = {
  id: "H9f",
  title: "keeps more connections to the port for sealed requests open than there is room for",
  secondsMax: 120,
  who: "flood",
  async run(world) {
    const service = await world.serve({ connections: CONNECTIONS, fastOpen: { port: 0, policy: "off" } })
    const ask = async () => {
      const answer = await fetch(new URL("fast-open", service.url))
      return new Uint8Array(await answer.arrayBuffer())
    }
    const transport = new SealedTransport({ provider: nodeProvider(), policy: "off", service: offerAt(ask) })
    const { auth } = shareTransport(transport, ["auth"])
    const question = encodeAuth({ type: "lookup", name: "somebody" })
    const first = await within(2_000, auth.request(question))
    if (first.state !== "done") throw new Error("the port for sealed requests does not answer")
    const flooding = floods.halfFlights(MORE_THAN_ALL)
    const end = await flooding.start(service.url, addresses.attacker, service.sealedPort)
    const later = await Promise.all(Array.from({ length: 8 }, () => within(2_000, auth.request(question))))
    await end()
    const answered = later.filter(({ state }) => state === "done").length
    return outcome(answered < later.length, `${answered} of ${later.length} honest sealed requests are answered`)
  },
}

/** The offer, made to lead to the address that the service listens at. */
const offerAt = (ask: () => Promise<Uint8Array>) => async () =>
  encode(Offer, { ...decode(Offer, await ask()), host: "127.0.0.1" })

export const resources: readonly Attack[] = [
  flooding("C4", "lets the service buffer answers to pings that she does not read", floods.unreadPings(20_000_000), 8),
  {
    ...flooding("H9a", "keeps more idle sockets open than there is room for", floods.idleSockets(MORE_THAN_ALL)),
    also: "F4",
  },
  flooding(
    "H9b",
    "opens more connections than there is room for, with half a head on each",
    floods.slowHeads(MORE_THAN_ALL),
  ),
  flooding("H9c", "sends frames that stop before their end", floods.halfFrames(100, 3_900_000)),
  flooding("H9d", "sends bodies that stop before their end", floods.halfBodies(100, 3_900_000)),
  flooding("H9e", "subscribes to 320,000 groups that do not exist", floods.anonymousCursors(5, 64, 1_000)),
  shutsSealedPort,
  fillsTheDisk,
  squats,
  emptiesTheStock,
  forgedForwarding,
  fillsInboxes("M4a", "fills a person's inbox so that nobody can invite them", []),
  fillsInboxes("M4b", "fills a person's inbox so that nobody can be invited together with them", ["dave"]),
]
