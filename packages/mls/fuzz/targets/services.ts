import assert from "node:assert/strict"
import { type Codec, decode } from "@conclave/codec"
import { nodeProvider } from "@conclave/crypto/node"
import { decodeGroupInfo } from "@conclave/mls"
import type { Target } from "../engine.js"
import { valuesIn } from "../values.js"
import type { World } from "../world.js"
import { codecsIn, decoder } from "./decoders.js"

/** What is asked of a service's module here. It is compiled after this package, and so loaded by its name alone. */
interface ServiceModule {
  readonly [name: string]: any
}

const load = async (name: string): Promise<ServiceModule> => import(name)

/** Every decoder of the services' contracts, and the services themselves. */
export async function serviceTargets({ scenes, invitations }: World): Promise<Target[]> {
  const [delivery, auth] = [await load("@conclave/delivery"), await load("@conclave/auth")]
  const samples = { message: scenes[0]!.messages[0]!, groupInfo: invitations[0]!.groupInfo }
  const [toDelivery, toAuth] = [deliveryRequests(samples), authRequests(samples)]
  const known = valuesIn([...toDelivery, ...toAuth, ...answers(samples)])
  const contracts = {
    delivery: await load("@conclave/contracts/delivery"),
    access: await load("@conclave/contracts/access"),
    heads: await load("@conclave/contracts/heads"),
    knocks: await load("@conclave/contracts/knocks"),
    auth: await load("@conclave/contracts/auth"),
  }
  const decoders = Object.entries(contracts).flatMap(([service, contract]) =>
    Object.entries(codecsIn(contract)).map(([name, codec]) => decoder(`${service} ${name}`, codec, { known })),
  )
  const crypto = nodeProvider()
  const sha256 = (...parts: readonly Uint8Array[]) => crypto.hashes["SHA-256"]!.digest(...parts)
  const failures: unknown[] = []
  const options = { crypto, now: () => 1_800_000_000_000, onError: (error: unknown) => failures.push(error) }
  const handlers = {
    delivery: () =>
      delivery.deliveryService({ ...options, store: delivery.memoryStore(sha256), directory: async () => undefined }),
    auth: () => auth.authenticationService({ ...options, store: auth.memoryStore() }),
  }
  return [
    ...decoders,
    service("delivery service", handlers.delivery, contracts.delivery.DeliveryResponse, {
      requests: toDelivery.map((request) => contracts.delivery.deliveryRequests.encode(request)),
      failures,
    }),
    service("auth service", handlers.auth, contracts.auth.AuthResponse, {
      requests: toAuth.map((request) => contracts.auth.authRequests.encode(request)),
      failures,
    }),
  ]
}

type Handler = (request: Uint8Array, context: { signal: AbortSignal; early: boolean }) => AsyncIterable<Uint8Array>

function service(
  name: string,
  create: () => Handler,
  response: Codec<{ readonly type: string }>,
  { requests, failures }: { readonly requests: readonly Uint8Array[]; readonly failures: unknown[] },
): Target {
  let handler = create()
  let asked = 0
  return {
    name,
    seeds: requests,
    batch: 16,
    share: 10,
    async run(input) {
      // What has been stored is forgotten now and then: the memory of a service is bounded elsewhere.
      if (++asked % 4096 === 0) handler = create()
      const asker = new AbortController()
      for await (const answer of handler(input, { signal: asker.signal, early: false })) {
        const { type } = decode(response, answer)
        assert.notEqual(type, "unavailable", `the service failed: ${failures.pop()}`)
        asker.abort()
        return type
      }
      return assert.fail("no answer")
    },
  }
}

interface Samples {
  readonly message: Uint8Array
  readonly groupInfo: Uint8Array
}

function deliveryRequests({ message, groupInfo }: Samples): object[] {
  const { groupContext } = decodeGroupInfo(groupInfo)
  const { groupId, epoch } = groupContext
  const proof = { deviceId: new Uint8Array(32), at: 1_800_000_000_000n, signature: new Uint8Array(64) }
  const place = { groupId, idempotencyId: new Uint8Array(16) }
  const accessKey = nodeProvider().signatures.Ed25519!.importKey(new Uint8Array(32).fill(1)).publicKey
  const begins = { accessKey, removes: false }
  const answers = { welcome: message, to: [{ knock: new Uint8Array(16), key: message }] }
  const parts = { welcome: new Uint8Array(0), recipients: [], begins, answers }
  const at = 1_800_000_000_000n
  const access = { type: "proof", key: accessKey, at, signature: new Uint8Array(64) }
  const pass = { type: "pass", key: accessKey, until: at, tag: new Uint8Array(32) }
  const mac = { type: "mac", key: accessKey, until: at, at, mac: new Uint8Array(32) }
  const none = { type: "none" }
  const id = new Uint8Array(16)
  const blob = new Uint8Array(32)
  return [
    { type: "publishKeyPackages", cipherSuite: 1, keyPackages: [Uint8Array.of(1)], replaces: false, proof },
    { type: "publishKeyPackages", cipherSuite: 1, keyPackages: [], lastResort: message, replaces: true, proof },
    { type: "claimKeyPackage", deviceId: new Uint8Array(32), cipherSuite: 1 },
    { type: "countKeyPackages", cipherSuite: 1, proof },
    { type: "createGroup", ...place, accessKey },
    { type: "append", ...place, kind: "application", epoch: epoch - 1n, body: message, after: 0n, access },
    {
      type: "append",
      ...place,
      kind: "commit",
      epoch,
      body: message,
      commit: { ...parts, recipients: [{ deviceId: groupId }] },
      after: 7n,
      access,
    },
    { type: "append", ...place, kind: "application", epoch: epoch - 1n, body: message, after: 0n, access: mac },
    { type: "read", groupId, afterSeq: 0n, limit: 10, access: pass },
    { type: "head", groupId, access: none },
    { type: "extend", subscription: id, cursor: { groupId, afterSeq: 0n, access } },
    { type: "knock", groupId, id, sealed: message, access },
    { type: "knocks", groupId, access: pass },
    { type: "answer", groupId, id, access: pass },
    { type: "createBlob", groupId, id: blob, size: 1n, lifetimeSeconds: 1, deletion: blob, access: mac },
    { type: "putBlob", groupId, id: blob, offset: 0n, bytes: message, hash: blob, access },
    { type: "readBlob", id: blob, offset: 1n, length: 9 },
    { type: "deleteBlob", id: blob, token: blob },
    { type: "signal", groupId, body: message, access: mac },
    {
      ...{ type: "registerPush", groupId, id, kind: "webPush", endpoint: "https://push.example.org/a" },
      ...{ parameters: message, lifetimeSeconds: 1, removal: blob, access },
    },
    { type: "removePush", groupId, id, token: blob },
    { type: "hear", subscription: id },
    { type: "service" },
    { type: "inbox", after: 0n, limit: 1, proof },
    { type: "acknowledgeInbox", upTo: 2n ** 64n - 1n, proof },
    { type: "subscribe", cursors: [{ groupId, afterSeq: 0n, access: pass }], inboxAfter: 0n, proof: undefined },
  ]
}

function authRequests({ message }: Samples): object[] {
  const endorsement = { deviceId: new Uint8Array(32), signature: new Uint8Array(64) }
  const key = { cipherSuite: 1, signatureKey: message.slice(0, 32), signature: new Uint8Array(64) }
  return [
    { type: "register", name: "alice", ...key, endorsement: undefined },
    { type: "register", name: "bob", ...key, endorsement },
    { type: "lookup", name: "alice" },
    { type: "lookupDevice", deviceId: new Uint8Array(32) },
  ]
}

/** Of both services, for the decoders of the clients. */
function answers({ message }: Samples): object[] {
  const groupId = new Uint8Array(32)
  const begins = { accessKey: groupId, removes: true }
  const entry = { seq: 1n, kind: "commit", epoch: 1n, body: message, begins, chainHash: groupId, at: 1n }
  const signed = { incarnation: 1n, signature: new Uint8Array(64) }
  const id = new Uint8Array(16)
  const handover = { by: groupId, key: groupId, ...signed }
  const inboxEntry = { n: 1n, kind: "welcome", groupId, seq: 1n, body: message, ratchetTree: undefined, at: 1n }
  const device = { deviceId: groupId, cipherSuite: 1, signatureKey: groupId, registeredAt: 1n }
  return [
    { type: "keyPackage", keyPackage: message, lastResort: false },
    { type: "accepted", seq: 1n, chainHash: groupId, ...signed, undelivered: [groupId] },
    { type: "entries", groupId, entries: [entry], headSeq: 1n, ...signed },
    { type: "subscribed", subscription: id },
    { type: "passes", passes: [{ groupId, key: groupId, until: 1n, tag: groupId, macKey: groupId }] },
    { type: "knocks", groupId, knocks: [{ id, key: groupId, sealed: message, at: 1n }] },
    { type: "answer", seq: 1n, key: message, welcome: message },
    { type: "service", identity: { key: groupId, incarnation: 1n, handovers: [handover] }, at: 1n },
    { type: "blob", stored: 1n, size: 2n, until: 3n },
    { type: "signal", groupId, body: message },
    { type: "blobBytes", size: 2n, bytes: message },
    { type: "inboxEntries", entries: [inboxEntry], head: 1n },
    { type: "invalid", reason: "why" },
    { type: "throttled", retryAfterMilliseconds: 1000 },
    { type: "registered", device },
    { type: "devices", name: "alice", devices: [device] },
    { deviceId: groupId, at: 1n, request: message },
  ]
}
