import { nodeProvider } from "@conclave/crypto/node"
import { type Attack, outcome } from "../attack.js"
import { askAuth, type DeliveryResponse } from "../contract.js"
import { create, creator } from "../floods.js"
import { asking } from "../http.js"
import { describe, Mallory } from "../mallory.js"
import { Operator } from "../operator.js"
import { megabytes } from "../service.js"
import { pause, within } from "../timing.js"
import { eventsOf, inWords, settle, teamOf, tries, type World } from "../world.js"
import { keyPackageOf, noise, silenced, takeOver, withMember } from "./entering.js"

const sha256 = (...parts: readonly Uint8Array[]) => nodeProvider().hashes["SHA-256"]!.digest(...parts)

const addsNobody: Attack = {
  id: "C3g",
  title: "stops a conversation by adding a key that the directory does not know",
  who: "member",
  async run(world) {
    const { mallory, team } = await withMember(world)
    const nobody = await world.mallory("zed", { registered: false })
    const answer = await mallory.commit({ add: [nobody.keyPackage().keyPackage] }, [mallory.deviceId])
    await settle(...team.clients)
    const { all, words } = await silenced(team)
    const removed = await within(3_000, team.of("alice").remove("zed", "mallory"))
    return outcome(
      all && removed.state !== "done",
      `service: ${describe(answer)}; ${words}; alice removes both: ${removed.state}`,
    )
  },
}

const speaksAfter: Attack = {
  id: "H1b",
  title: "speaks, and renames the conversation, after having been removed",
  who: "removed member",
  quick: true,
  async run(world) {
    const { mallory, team } = await withMember(world)
    await team.of("alice").remove("mallory")
    await settle(...team.clients)
    await tries(team.of("alice"), "now that she has gone")
    const said = await saying(mallory, { text: "transfer the money to this account" })
    const titled = await saying(mallory, { title: "renamed by nobody" })
    await settle(...team.clients)
    const texts = (await team.of("bob").history({ limit: 50 })).map(({ from, text }) => `${from}: ${text}`)
    const { title, members } = team.of("bob")
    return outcome(
      texts.some((it) => it.startsWith("mallory: transfer")) || title === "renamed by nobody",
      `service: ${said}, ${titled}; bob: members=[${members}], title "${title}", has read [${texts.join("; ")}]`,
    )
  },
}

const saying = (mallory: Mallory, words: Parameters<Mallory["say"]>[0]) =>
  mallory.say(words).then(describe, (error: Error) => error.message)

/** A Welcome that its recipient cannot open. */
async function junkWelcome(world: World): Promise<Uint8Array> {
  const somebody = await world.mallory("somebody", { registered: false })
  const other = await world.mallory("another", { registered: false })
  somebody.found(crypto.getRandomValues(new Uint8Array(32)))
  return somebody.group!.commit({ add: [other.keyPackage().keyPackage] }).welcome!
}

const pushesOut: Attack = {
  id: "M4c",
  title: "pushes an invitation out of a person's inbox, as a member of the conversation",
  who: "member",
  secondsMax: 90,
  defence: [
    {
      file: "packages/sqlite/dist/src/delivery/inbox.js",
      find: "group_id = ?\n       GROUP BY sender ORDER BY count(*) + (sender = ?) DESC, number LIMIT 1",
      replace: "group_id = ? AND ? IS NOT NULL",
    },
  ],
  async run(world) {
    const bob = await world.open("bob")
    const alice = await world.open("alice")
    const mallory = await world.mallory()
    await mallory.publish()
    const { id } = await alice.createConversation({ title: "us", members: ["mallory"] })
    const groupId = Uint8Array.from(Buffer.from(id, "hex"))
    await mallory.join()
    await alice.conversations.get(id)!.invite("bob")
    await mallory.follow()
    const devices = await askAuth(mallory.ask, { type: "lookup", name: "bob" })
    if (devices.type !== "devices") throw new Error(`lookup: ${devices.type}`)
    const recipients = devices.devices.map(({ deviceId }) => ({ deviceId }))
    const welcome = await junkWelcome(world)
    const { epoch } = mallory.group!
    let sent = 0
    for (let n = 0; n < 60 && sent < 10; n++) {
      const commit = { welcome, recipients }
      const answer = await mallory.append({ groupId, kind: "commit", epoch, body: noise(groupId, epoch), commit })
      if (answer.type === "accepted") {
        sent++
        mallory.lastCommit = answer.seq
      } else if (answer.type === "throttled") await pause(Math.min(1_000, answer.retryAfterMilliseconds))
      else throw new Error(describe(answer))
    }
    await settle(bob)
    const joined = bob.conversations.has(id)
    return outcome(!joined, `${sent} Welcomes of hers; bob ${joined ? "comes in" : "never hears of the conversation"}`)
  },
}

const reopens: Attack = {
  id: "C2b",
  title: "reopens a conversation that a person has left, as a group of her own, by a key lent to her",
  who: "stranger",
  quick: true,
  defence: [
    {
      file: "packages/client/dist/src/device/inbox.js",
      find: "if (outline === undefined) {",
      replace: "if (outline === undefined) return false;\n        if (outline === undefined) {",
    },
  ],
  async run(world) {
    const { mallory: inside, team } = await withMember(world, {}, ["alice", "bob", "carol"])
    await tries(team.of("alice"), "old secrets")
    await settle(...team.clients)
    await team.of("alice").remove("bob")
    await settle(...team.clients)
    await inside.follow()
    // Bob has never heard of her.
    const eve = await world.mallory("eve")
    eve.learnFrom(inside)
    const answer = await takeOver(eve, team.id, ["bob", "alice", "carol"])
    await settle(...team.clients)
    const bobs = team.of("bob")
    const sent = await tries(bobs, "so, as to the takeover bid")
    await eve.follow()
    const from = eve.heardOf("takeover bid")
    const told = (await eventsOf(team.clients[1]!)).filter(({ type }) => type !== "message").map(inWords)
    return outcome(
      from !== undefined,
      `service: ${describe(answer)}; bob: ${bobs.status}, title "${bobs.title}", members=[${bobs.members}], ${sent}; ` +
        `eve reads what ${from ?? "nobody"} says; bob's events: ${told.join("; ")}`,
    )
  },
}

/** The service takes what a client sends, once, and says that it does not. */
function refusesFalsely(id: string, title: string, kind: "commit" | "proposal"): Attack {
  return {
    id,
    title,
    who: "operator",
    quick: true,
    defence: [
      {
        file: "packages/client/dist/src/conversation/turn.js",
        find: "return includes(this.state.givenUp, this.#hash(body))",
        replace: "return false",
      },
      {
        // A group keeps the commit that was refused until there is another one.
        file: "packages/client/dist/src/conversation/committing.js",
        find: "turn.fail(Number(wish), refusal(answer));",
        replace: "{ turn.fail(Number(wish), refusal(answer)); state.group.discardPending(); turn.saveGroup(); }",
      },
    ],
    async run(world) {
      const service = await world.service()
      let lies = 0
      await using operator = await Operator.start(service.url, {
        delivery: async (request, truth): Promise<DeliveryResponse | undefined> => {
          if (request.type !== "append" || request.kind !== kind || lies > 0) return undefined
          lies++
          await truth(request)
          return { type: "invalid", reason: "no" }
        },
      })
      const alice = await world.open("alice")
      const carol = await world.open("carol")
      const bob = await world.open("bob", { service: operator.url })
      const { id: conversation } = await alice.createConversation({ title: "team", members: ["bob", "carol"] })
      await settle(alice, bob, carol)
      const team = teamOf(conversation, [alice, bob, carol])
      const wish = kind === "commit" ? team.of("bob").refresh() : team.of("bob").leave()
      const wished = await within(3_000, wish)
      await settle(alice, carol, bob)
      const said = await tries(team.of("alice"), "did you get this, bob?")
      await settle(alice, carol, bob)
      await settle(alice, carol, bob)
      const heard = (await team.of("bob").history({ limit: 50 })).some(({ text }) => text === "did you get this, bob?")
      const { status, epoch } = team.of("bob")
      const isMember = team.of("alice").members.includes("bob")
      const told = (await eventsOf(bob)).filter(({ type }) => type !== "message").map(inWords)
      const deaf = status === "stopped" || (status === "active" && (!heard || !isMember))
      return outcome(
        deaf,
        `${lies} lie; bob's wish: ${wished.state}; alice: ${said}; bob: ${status}, epoch ${epoch} (alice's ${team.of("alice").epoch}), ` +
          `${heard ? "hears alice" : "does not hear alice"}, for alice ${isMember ? "a member" : "none"}; ${told.join("; ")}`,
      )
    },
  }
}

const expires: Attack = {
  id: "H2c",
  title: "withholds one message by saying that it has expired, with the true chain",
  who: "operator",
  quick: true,
  async run(world) {
    const service = await world.service()
    let hidden: bigint | undefined
    await using operator = await Operator.start(service.url, {
      delivery: async (request, truth) => {
        if (request.type !== "read") return undefined
        const page = await truth(request)
        if (page.type !== "entries") return page
        const entries = page.entries.map((entry) =>
          entry.seq === hidden ? { ...entry, kind: "expired" as const, body: sha256(entry.body) } : entry,
        )
        return { ...page, entries }
      },
    })
    const alice = await world.open("alice")
    const bob = await world.open("bob", { service: operator.url })
    const inside = await world.mallory()
    await inside.publish()
    const { id } = await alice.createConversation({ title: "team", members: ["bob", "mallory"] })
    const team = teamOf(id, [alice, bob])
    await settle(alice, bob)
    await inside.join()
    hidden = (await inside.head(team.id)).headSeq + 1n
    await tries(team.of("alice"), "Bob, do NOT pay that bill")
    await tries(team.of("alice"), "see you tomorrow")
    await settle(bob)
    const texts = (await team.of("bob").history({ limit: 50 })).map(({ text }) => text)
    const alarms = (await eventsOf(bob)).filter(({ type }) => type === "rejected" || type === "recovered")
    return outcome(
      texts.includes("see you tomorrow") && !texts.some((it) => it?.includes("NOT pay")) && alarms.length === 0,
      `bob has read [${texts.join(", ")}]; alarms: [${alarms.map(inWords).join("; ")}]`,
    )
  },
}

const STRANGERS = 1_500

const crowd: Attack = {
  id: "L3b",
  title: "fills a person's profile by inviting them among thousands whom nobody knows",
  who: "stranger",
  defence: [
    {
      file: "packages/identity/dist/src/verdicts/judgement.js",
      find: "REASONS_SHOWN = 3",
      replace: "REASONS_SHOWN = 1e9",
    },
  ],
  async run(world) {
    const bob = await world.open("bob")
    const mallory = await world.mallory()
    const { deviceId, keyPackage } = await keyPackageOf(mallory, "bob")
    await create(mallory)
    const strangers = await Promise.all(
      Array.from({ length: STRANGERS }, (_, n) =>
        Mallory.come(`${"x".repeat(120)}${n}`, mallory.ask, { registered: false }),
      ),
    )
    const add = strangers.map((it) => it.keyPackage().keyPackage)
    const answer = await mallory.commit({ add: [...add, keyPackage] }, [deviceId])
    const started = performance.now()
    await within(50_000, bob.sync())

    const seconds = (performance.now() - started) / 1000
    const sizes = (await eventsOf(bob)).map((event) => ("reason" in event ? `${event.reason}`.length : 0))
    const largest = Math.max(0, ...sizes)
    return outcome(
      largest > 10_000,
      `service: ${describe(answer)}; bob: ${seconds.toFixed(1)} s, an event of ${Math.round(largest / 1000)} kB`,
    )
  },
}

const QUOTA = 64 * 1024 * 1024
const NETWORKS = 4

const fillsByNetworks: Attack = {
  id: "H10b",
  title: "fills a service with a quota from four networks, and nobody else can speak",
  who: "flood",
  defence: [
    {
      file: "packages/delivery/dist/src/admission.js",
      find: "Math.min(1, bytes / sizeMax)",
      replace: "0",
    },
  ],
  async run(world) {
    const service = await world.serve({ quota: QUOTA })
    const alice = await world.open("alice", { service: service.url })
    await world.open("bob", { service: service.url })
    const team = await within(5_000, alice.createConversation({ title: "team", members: ["bob"] }))
    if (team.state !== "done") throw new Error("alice and bob have no conversation")
    const started = performance.now()
    let stored = 0
    for (let network = 0; network < NETWORKS; network++) {
      for (let host = 0; host < 5; host++) {
        const mallory = await creator(asking(service.url, `127.0.${10 + network}.${10 + host}`)).catch(() => undefined)
        // The service is full.
        if (mallory === undefined) break
        for (const size of [900_000, 60_000, 4_000, 10]) {
          const body = mallory.group!.encrypt(new Uint8Array(size), { padTo: 0 })
          const append = { groupId: mallory.group!.id, kind: "application", epoch: 0n, body } as const
          while ((await mallory.append(append)).type === "accepted") stored += body.length
        }
      }
    }
    const seconds = Math.round(performance.now() - started) / 1000
    const sent = await tries(team.value, "is anybody there?", 8_000)
    return outcome(
      sent !== "sent",
      `${megabytes(stored)} of ${megabytes(QUOTA)} from ${NETWORKS} networks in ${seconds} s; alice: ${sent}`,
    )
  },
}

export const siblings: readonly Attack[] = [
  addsNobody,
  speaksAfter,
  pushesOut,
  reopens,
  refusesFalsely("H8c", "cuts a member off for good by one false refusal of a commit", "commit"),
  refusesFalsely("H8d", "cuts a member off for good by one false refusal of a wish to leave", "proposal"),
  expires,
  crowd,
  fillsByNetworks,
]
