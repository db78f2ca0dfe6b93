import assert from "node:assert/strict"
import { decode, encode } from "@conclave/codec"
import { AuthResponse, type Device, deviceIdOf } from "@conclave/contracts/auth"
import { type DeliveryRequest, DeliveryResponse, deliveryRequests } from "@conclave/contracts/delivery"
import { MLSMessage } from "@conclave/mls/wire"
import { type Transport, TransportError } from "@conclave/transport"
import { fromHex } from "../../src/bytes.js"
import { ConversationHandle } from "../../src/device/handle.js"
import type { Identity } from "../../src/identity/identity.js"
import type { Client, Logger, Store } from "../../src/index.js"
import { MemoryProfile, memoryStore } from "../../src/store/memory.js"
import { later } from "./counting.js"
import { makeIdentity } from "./judging.js"
import { expected, Mallory } from "./mallory.js"
import { Secrets } from "./secrets.js"
import { answered, tampered } from "./tampered.js"
import { provider, settle, World } from "./world.js"

const only = (client: Client) => [...client.conversations.values()][0]!

/** The part of pino's type that a client calls: overloads, fields first. */
interface PinoLogFn {
  <T, TMsg extends string = string>(obj: T, msg?: T extends string ? never : TMsg, ...args: unknown[]): void
  (obj: unknown, msg?: string, ...args: unknown[]): void
}
type PinoShaped = Record<"trace" | "debug" | "info" | "warn" | "error" | "fatal", PinoLogFn> & { level: string }

/** Like pino, its methods need their object. */
export class Recorder {
  readonly lines: string[] = []
  readonly level = "debug"
  readonly logger: Logger

  constructor() {
    const { lines } = this
    const write = (level: string) =>
      function (this: unknown, fields: unknown, message?: unknown) {
        if (this !== logger) throw new TypeError("called without its object")
        lines.push(JSON.stringify({ level, ...(fields as object), message }))
      }
    const levels = ["trace", "debug", "info", "warn", "error", "fatal"] as const
    const methods = Object.fromEntries(levels.map((level) => [level, write(level)]))
    const logger = { ...methods, level: "debug" } as PinoShaped
    this.logger = logger
  }

  of(kind: string): readonly Record<string, unknown>[] {
    return this.lines.map((line) => JSON.parse(line)).filter(({ message }) => message === kind)
  }
}

// --- A session in which much goes wrong ------------------------------------------------------------------------------

const names = { alice: "Zoë_Ünïcøde-7731", bob: "борис.Тайный-5512", carol: "kaoru+秘密@8841.example" }
export const said = {
  title: "Übernahme der Nordwind GmbH",
  newTitle: "Übernahme, Plan Zwei ✂",
  text: "meet me at the blue door at 23:47",
  otherText: "the second thing I must not log: 4111-1111",
  displayName: "Zoë Ödegård-Þór Privat",
  policy: "the policy's own secret word: rhabarber",
  store: "disk of Zoë_Ünïcøde failed at disk/zoe-private/profile.db",
  service: "quota of tenant NordwindGmbH-31 exceeded",
  address: "https://conclave.nordwind-intern.example:7443/geheim",
}
export const sealingKey = Uint8Array.from({ length: 32 }, (_, at) => (at * 37 + 11) % 251)

/** Everything that a way to the Delivery Service may do instead of what it should. */
type Misbehaviour = "none" | "silent" | "throttled" | "refuses" | "breaks chains" | "has forgotten"

function misbehaving(transport: Transport, now: () => Misbehaviour): Transport {
  const broken = answered(transport, (request, answer) =>
    request.type === "read" && answer.type === "entries"
      ? { ...answer, entries: answer.entries.map((it) => ({ ...it, chainHash: provider.random(32) })) }
      : answer,
  )
  const forgetful = answered(transport, (request, answer) =>
    request.type === "read" && answer.type === "entries"
      ? { type: "belowRetention", groupId: answer.groupId, oldestSeq: 1_000n }
      : answer,
  )
  return tampered(transport, async (request, pass) => {
    switch (now()) {
      case "none":
        return pass()
      case "silent": {
        const cause = Object.assign(new Error(`connect ECONNREFUSED ${said.address}`), { code: "ECONNREFUSED" })
        throw new TransportError(`${said.address} does not answer`, { retryable: true, cause })
      }
      case "throttled":
        return encode(DeliveryResponse, { type: "throttled", retryAfterMilliseconds: 2_000 })
      case "refuses":
        return encode(DeliveryResponse, { type: "invalid", reason: said.service })
      case "breaks chains":
        return broken.request(reencoded(request))
      case "has forgotten":
        return forgetful.request(reencoded(request))
    }
  })
}

const reencoded = (request: DeliveryRequest) => deliveryRequests.encode(request)

/** A directory that lists a device of a name more than there is, while `isHaunted`. */
function listing(
  transport: Transport,
  { name, deviceId, signatureKey }: Identity,
  isHaunted: () => boolean,
): Transport {
  const device: Device = { deviceId, cipherSuite: 1, signatureKey, registeredAt: 1n << 50n, endorsement: undefined }
  return {
    ...transport,
    async request(body, options) {
      const answer = decode(AuthResponse, await transport.request(body, options))
      if (!isHaunted() || answer.type !== "devices" || answer.name !== name) return encode(AuthResponse, answer)
      return encode(AuthResponse, { ...answer, devices: [...answer.devices, device] })
    },
  }
}

/** A store that fails with an error that says too much, while `isFailing`. */
function failing(store: Store, isFailing: () => "no" | "expected" | "unexpected"): Store {
  return {
    lost: store.lost,
    get: (key) => store.get(key),
    list: (prefix, options) => store.list(prefix, options),
    async transaction(changes) {
      if (isFailing() === "expected") throw Object.assign(new Error(said.store), { code: said.store })
      if (isFailing() === "unexpected") {
        const error = new TypeError(`${said.store}\n    at ${names.bob} (${said.address}:1:1)`)
        error.name = said.text
        throw error
      }
      return store.transaction(changes)
    },
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}

export interface Session {
  readonly secrets: Secrets
  readonly recorders: Readonly<Record<string, Recorder>>
  readonly reports: readonly string[]
}

export async function troubledSession(): Promise<Session> {
  await using world = new World({ inMemory: true })
  const secrets = new Secrets()
  secrets.text(...Object.values(names), ...Object.values(said))
  secrets.bytes("the sealing key", sealingKey)
  const recorders = { alice: new Recorder(), bob: new Recorder(), carol: new Recorder() }
  const reports: string[] = []
  const take = async (...clients: readonly Client[]) => {
    for (const client of clients) reports.push(await client.debugReport())
  }

  let disk: "no" | "expected" | "unexpected" = "no"
  let service: Misbehaviour = "none"
  const profile = new MemoryProfile()
  const options = (who: keyof typeof recorders) => ({ logger: recorders[who].logger, sealingKey: sealingKey.slice() })
  const alice = await world.open(names.alice, {
    ...options("alice"),
    displayName: said.displayName,
    store: failing(memoryStore(profile), () => disk),
  })
  const bob = await world.open(names.bob, {
    ...options("bob"),
    delivery: misbehaving(world.transport("delivery"), () => service),
    policy: {
      keyPackages: 4,
      invitations: () => {
        throw new Error(said.policy)
      },
    },
  })
  let isHaunted = false
  const ghost = makeIdentity(names.carol)
  const auth = listing(world.transport("auth"), ghost, () => isHaunted)
  const carol = await world.open(names.carol, { ...options("carol"), auth })

  // Sends, a title, an invitation that waits and is accepted, another that is declined.
  const team = await alice.createConversation({ title: said.title, members: [names.bob, names.carol] })
  await team.send(said.text)
  await settle(alice, bob, carol)
  await only(bob).accept()
  await settle(bob, alice, carol)
  await only(bob).send(said.otherText)
  await team.setTitle(said.newTitle)
  await settle(alice, bob, carol)
  const other = await carol.createConversation({ title: said.newTitle, members: [names.bob] })
  await bob.sync()
  await bob.conversations.get(other.id)!.decline()
  await settle(bob, carol)
  await plant(secrets, alice, bob, carol)
  await take(alice, bob, carol)

  // Garbage, and a rule that a member breaks.
  const groupId = fromHex(team.id)
  const { mallory } = await Mallory.inside(world, carol)
  const garbage = { kind: "application", epoch: team.epoch, body: noise(groupId, team.epoch) } as const
  expected(await mallory.append(groupId, garbage), "accepted")
  await settle(alice, bob, carol)
  const { mallory: traitor, group } = await Mallory.inside(world, carol)
  await traitor.propose(group, { type: "remove", leafIndex: group.members[0]!.leafIndex })
  await settle(alice, bob, carol)

  // A device of a name that nobody endorsed.
  secrets.bytes("the ghost's key", ghost.signatureKey)
  isHaunted = true
  world.now += 2 * 3_600_000
  await settle(alice, bob, carol)

  // A service that is silent, busy, refuses, breaks the log and has forgotten it, until the device has to knock.
  for (const misbehaviour of ["silent", "throttled", "refuses"] as const) {
    service = misbehaviour
    only(bob)
      .send(said.otherText)
      .catch(() => {})
    await bob.sync().catch(() => {})
    await later(20)
    await take(bob)
    world.now += 3_600_000
  }
  service = "none"
  await settle(bob, alice, carol)
  await team.send(said.text)
  service = "breaks chains"
  await bob.sync()
  service = "has forgotten"
  for (let round = 0; round < 3; round++) await bob.sync().catch(() => {})
  await take(bob)
  service = "none"
  await settle(bob, alice, carol, bob)

  // A store that fails.
  for (const failure of ["expected", "unexpected"] as const) {
    disk = failure
    await team.send(said.text).catch(() => {})
    await alice.sync().catch(() => {})
    await take(alice)
  }
  disk = "no"
  await settle(alice, bob, carol)
  await only(bob)
    .leave()
    .catch(() => {})
  await settle(bob, alice, carol)
  await plant(secrets, alice, bob, carol)
  await take(alice, bob, carol)
  for (const client of [alice, bob, carol]) await client.close()
  await take(alice, bob)
  return { secrets, recorders, reports }
}

/** A message that nobody can open. */
export function noise(groupId: Uint8Array, epoch: bigint): Uint8Array {
  const privateMessage = {
    groupId,
    epoch,
    contentType: "application",
    authenticatedData: new Uint8Array(),
    encryptedSenderData: provider.random(28),
    ciphertext: provider.random(200),
  } as const
  return encode(MLSMessage, { version: "mls10", wireFormat: { type: "mlsPrivateMessage", privateMessage } })
}

/** What a device knows that nobody else may. */
async function plant(secrets: Secrets, ...clients: readonly Client[]): Promise<void> {
  const sha256 = (...parts: readonly Uint8Array[]) => provider.hashes["SHA-256"]!.digest(...parts)
  for (const client of clients) {
    for (const conversation of client.conversations.values()) {
      secrets.bytes("a group id", fromHex(conversation.id))
      secrets.bytes("an epoch authenticator", conversation.epochAuthenticator)
      assert.ok(conversation instanceof ConversationHandle)
      const { means } = conversation.driver
      const { signer, signatureKey } = means.identity
      secrets.bytes("a signature key", signatureKey)
      secrets.bytes("a device id", deviceIdOf(sha256, { cipherSuite: 1, signatureKey }))
      secrets.bytes("a private key", signer.key.exportPrivateKey())
      for (const name of Object.values(names)) {
        for (const key of await client.pinnedKeys(name)) secrets.bytes("a pinned key", key)
      }
      // Every 32 bytes of a group's records may be a key.
      for (const [, record] of await means.store.list(`conversation/${conversation.id}/group/`)) {
        for (let at = 0; at + 32 <= record.length; at += 16) secrets.bytes("of a group", record.slice(at, at + 32))
      }
    }
  }
}
