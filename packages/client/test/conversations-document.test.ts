import assert from "node:assert/strict"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { describe, it } from "node:test"
import { decode, encode } from "@conclave/codec"
import { ACCESS_LABEL, Access, AccessTBS, Interval, noAccess, Pass } from "@conclave/contracts/access"
import { REVOCATION_LABEL, RevocationTBS, RevokedDevice } from "@conclave/contracts/auth"
import {
  DEVICE_REQUEST_LABEL,
  DeliveryRequest,
  DeliveryRequestKind,
  DeliveryResponse,
  DeviceRequestTBS,
  deliveryRequests,
  EntryKind,
} from "@conclave/contracts/delivery"
import { EVIDENCE_VERSION, Evidence } from "@conclave/contracts/evidence"
import { HeadClaim, LOG_HEAD_LABEL, LogHead, SERVICE_KEY_LABEL, ServiceIdentity } from "@conclave/contracts/heads"
import { KNOCK_LABEL, KnockTBS, SignedKnock } from "@conclave/contracts/knocks"
import { logChainHash, logChainStart } from "@conclave/contracts/log-chain"
import { deliveryService, memoryStore } from "@conclave/delivery"
import { cipherSuite, createKeyPackage, decodeKeyPackage, signWithLabel } from "@conclave/mls"
import { LeafNode } from "@conclave/mls/wire"
import { INTERVAL_LABEL, IntervalKeys } from "../src/access/interval-keys.js"
import { isSignedBy, openAnswer, openKnock, sealAnswers, sealKnock } from "../src/access/knocks.js"
import { commitHash, entranceExtension, newcomerExtension, readNewcomer } from "../src/access/newcomer.js"
import { SignalTBS, SignedSignal } from "../src/access/signals.js"
import {
  ENTRANCE_EXTENSION,
  Entrance,
  KnockContext,
  NEWCOMER_EXTENSION,
  NEWCOMER_VERSION,
  Newcomer,
} from "../src/access/structs.js"
import { LINKS_KEPT } from "../src/conversation/chain.js"
import { declinedData } from "../src/conversation/declining.js"
import { intervalOf } from "../src/conversation/epoch-interval.js"
import { HANDSHAKES_KEPT } from "../src/conversation/kept.js"
import * as payload from "../src/conversation/payload.js"
import { conversationProfile, NAMES_AT_ONCE_MAX } from "../src/conversation/profile.js"
import { ENVELOPE_VERSION, Envelope, HANDSHAKE_DATA_VERSION, HandshakeData } from "../src/heads/claims.js"
import {
  expanded,
  exported,
  hex,
  isSigned,
  joined,
  none,
  sealedWith,
  sha256,
  text,
  u64,
  unhex,
  v,
} from "./support/by-hand.js"
import { definitionsOf } from "./support/definitions.js"
import { revocationVector } from "./support/revocation-vector.js"
import { provider } from "./support/world.js"

const docs = new URL("../../../../docs/", import.meta.url)
const document = readFileSync(new URL("conversations.md", docs), "utf8")
const file = new URL("conversations-vectors.json", docs)
const suite = cipherSuite(1, provider)

/** Fixed bytes that look random. */
const derived = (label: string, length: number) =>
  Uint8Array.from({ length }, (_, n) => sha256(Buffer.from(`${label} ${n >> 5}`))[n & 31]!)

// --- The vectors -----------------------------------------------------------------------------------------------------

const groupId = derived("group", 32)

function makeVectors() {
  const exporterSecret = derived("exporter secret", 32)
  const keys = intervalOf(suite, groupId, ({ label, context, length }) =>
    exported(exporterSecret, label, { context, length }),
  )
  return {
    cipher_suite: 1,
    group_id: hex(groupId),
    interval: intervalVector(exporterSecret, keys),
    log: logVector(keys),
    access: accessVector(keys),
    ...knockVectors(keys),
    newcomer: newcomerVector(keys),
    entrance: entranceVector(keys),
    payload: payloadVector(),
    revocation: revocationVector(signerOf("alice").key, signerOf("alice's phone").key),
  }
}

function intervalVector(exporterSecret: Uint8Array, keys: IntervalKeys) {
  return {
    exporter_secret: hex(exporterSecret),
    interval_secret: hex(keys.secret),
    access_seed: hex(expanded(keys.secret, "conclave access", { context: none, length: 32 })),
    access_key: hex(keys.accessKey),
    knock_key: hex(expanded(keys.secret, "conclave knock", { context: none, length: 16 })),
  }
}

function logVector({ accessKey }: IntervalKeys) {
  let previous = logChainStart(sha256, groupId)
  const start = hex(previous)
  const later = derived("later access key", 32)
  const begins = [{ accessKey, removes: false }, undefined, undefined, undefined, { accessKey: later, removes: true }]
  const entries = (["commit", "commit", "proposal", "application", "commit"] as const).map((kind, at) => {
    const entry = { seq: BigInt(at + 1), kind, epoch: BigInt(Math.min(at, 2)), body: derived(`body ${at}`, 20 + at) }
    const begun = begins[at]
    previous = logChainHash(sha256, previous, { ...entry, begins: begun })
    const { seq, epoch, body } = { seq: at + 1, epoch: Number(entry.epoch), body: hex(entry.body) }
    const registered = begun && { begins: { access_key: hex(begun.accessKey), removes: begun.removes } }
    return { seq, kind, epoch, body, ...registered, chain_hash: hex(previous) }
  })
  return { start, entries }
}

function accessVector(keys: IntervalKeys) {
  const at = 1_800_000_000_000n
  const request = { type: "read", groupId, afterSeq: 3n, limit: 256 } as const
  const content = deliveryRequests.encode({ ...request, access: noAccess })
  const tbs = encode(AccessTBS, { at, content })
  const signature = keys.sign(tbs)
  const proof = { type: "proof", key: keys.accessKey, at, signature } as const
  return {
    at: Number(at),
    content: hex(content),
    access_tbs: hex(tbs),
    signature: hex(signature),
    request: hex(deliveryRequests.encode({ ...request, access: proof })),
  }
}

/** Random bytes that are given, in this order. */
function scripted(...parts: readonly Uint8Array[]) {
  const waiting = [...parts]
  return (length: number) => {
    const next = waiting.shift()
    assert.equal(next?.length, length)
    return next.slice()
  }
}

function signerOf(name: string) {
  const key = suite.signature.importKey(derived(`${name}'s signature key`, 32))
  return { key, credential: { type: "basic", identity: new TextEncoder().encode(name) } as const }
}

function knockVectors(keys: IntervalKeys) {
  const signer = signerOf("bob")
  let drawn = 0
  const { keyPackage } = createKeyPackage({
    suite,
    signer,
    lifetime: { notBefore: 1_799_996_400n, notAfter: 1_800_604_800n },
    capabilities: { cipherSuites: [1] },
    grease: false,
    random: (length) => derived(`key package ${drawn++}`, length),
  })
  const id = derived("knock", 16)
  const content = {
    id,
    groupId,
    interval: keys.accessKey,
    leafNodeHashes: [derived("leaf node hash", 32), sha256(encode(LeafNode, decodeKeyPackage(keyPackage).leafNode))],
    seen: 5n,
    seenHash: derived("seen hash", 32),
    stuckAt: 5n,
    keyPackage,
  }
  const [nonce, answerKey, welcomeNonce, keyNonce] = [12, 16, 12, 12].map((size, n) => derived(`drawn ${n}`, size))
  const sealed = sealKnock(content, { keys, signer: signer.key, random: scripted(nonce!) })
  const welcome = derived("welcome", 100)
  const random = scripted(answerKey!, welcomeNonce!, keyNonce!)
  const answers = sealAnswers(suite, { welcome, groupId, to: [{ knock: id, keys }] }, random)
  const context = { groupId, knock: id }
  return {
    knock: {
      id: hex(id),
      interval: hex(content.interval),
      leaf_node_hashes: content.leafNodeHashes.map(hex),
      seen: Number(content.seen),
      seen_hash: hex(content.seenHash),
      stuck_at: Number(content.stuckAt),
      key_package: hex(keyPackage),
      signature_public_key: hex(signer.key.publicKey),
      knock_tbs: hex(encode(KnockTBS, content)),
      signature: hex(signWithLabel(signer.key, KNOCK_LABEL, encode(KnockTBS, content))),
      nonce: hex(nonce!),
      context: hex(encode(KnockContext, { of: "knock", ...context })),
      sealed: hex(sealed),
    },
    answer: {
      welcome: hex(welcome),
      key: hex(answerKey!),
      welcome_nonce: hex(welcomeNonce!),
      sealed_welcome: hex(answers.welcome),
      key_nonce: hex(keyNonce!),
      context: hex(encode(KnockContext, { of: "answer", ...context })),
      sealed_key: hex(answers.to[0]!.key),
    },
  }
}

function newcomerVector(keys: IntervalKeys) {
  const { extensionType, extensionData } = newcomerExtension(keys, undefined)
  const continues = { groupId: derived("group before", 32), names: ["alice", "bob"] }
  const told = { group_id: hex(continues.groupId), names: continues.names }
  const continuing_data = hex(newcomerExtension(keys, undefined, continues).extensionData)
  return { extension_type: extensionType, extension_data: hex(extensionData), continues: told, continuing_data }
}

/** Without an interval, and with one. */
function entranceVector({ accessKey }: IntervalKeys) {
  return [undefined, { accessKey, removes: true }].map((begins) => {
    const body = derived("commit", 100)
    const hash = commitHash(sha256, { kind: "commit", epoch: 7n, body, begins })
    const { extensionType, extensionData } = entranceExtension(hash)
    const of = { epoch: 7, body: hex(body), begins: begins ? hex(encode(Interval, begins)) : "" }
    return { ...of, extension_type: extensionType, extension_data: hex(extensionData) }
  })
}

function payloadVector() {
  const messageId = derived("message id", 16)
  const made = (body: payload.Payload["body"]) =>
    hex(payload.encodePayload({ version: payload.PAYLOAD_VERSION, messageId, sentAt: 1_800_000_000_000n, body }))
  return {
    message_id: hex(messageId),
    sent_at: 1_800_000_000_000,
    text: { text: "hello", payload: made({ type: "text", text: "hello" }) },
    bytes: { bytes: "010203", payload: made({ type: "bytes", bytes: Uint8Array.of(1, 2, 3) }) },
    title: { title: "Friends", payload: made({ type: "title", title: "Friends" }) },
  }
}

const rows = new Map(
  [...document.matchAll(/^\| ([^|]+?) \| `([^`]+)` \|/gm)].map(([, name, value]) => [name!, value!] as const),
)
/** What the document's table of labels and numbers says. */
function named(name: string): string {
  const value = rows.get(name)
  assert.ok(value !== undefined, `the document does not name ${name}`)
  return value
}

if (process.env.WRITE_VECTORS) writeFileSync(file, `${JSON.stringify(makeVectors(), null, 2)}\n`)
const vectors: ReturnType<typeof makeVectors> = JSON.parse(readFileSync(file, "utf8"))
const { interval, knock, answer } = vectors

describe("the vectors beside docs/conversations.md", () => {
  it("are what this implementation makes", () => assert.deepEqual(makeVectors(), vectors))

  it("lead from an epoch to the keys of its interval by the labels that the document names", () => {
    const exporter = unhex(interval.exporter_secret)
    const secret = exported(exporter, named("exporter"), { context: unhex(vectors.group_id), length: 32 })
    assert.equal(hex(secret), interval.interval_secret)
    const seed = expanded(secret, named("access seed"), { context: none, length: 32 })
    assert.equal(hex(seed), interval.access_seed)
    assert.equal(hex(suite.signature.importKey(seed).publicKey), interval.access_key)
    const knockKey = expanded(secret, named("knock key"), { context: none, length: 16 })
    assert.equal(hex(knockKey), interval.knock_key)
  })

  it("chain a log as the document says, with and without an interval, and an expired message as before", () => {
    const { start, entries } = vectors.log
    let previous = sha256(text(named("start of a log")), v(unhex(vectors.group_id)))
    assert.equal(hex(previous), start)
    const numbers = { application: 1, proposal: 2, commit: 3 }
    for (const { seq, kind, epoch, body, begins, chain_hash } of entries) {
      const header = joined(u64(seq), Uint8Array.of(numbers[kind]), u64(epoch))
      const begun = begins ? joined(unhex(begins.access_key), Uint8Array.of(begins.removes ? 1 : 0)) : none
      const expired = { seq: BigInt(seq), kind: "expired", epoch: BigInt(epoch), body: sha256(unhex(body)) } as const
      if (kind === "application") {
        assert.equal(hex(logChainHash(sha256, previous, { ...expired, begins: undefined })), chain_hash)
      }
      previous = sha256(previous, header, sha256(unhex(body)), begun)
      assert.equal(hex(previous), chain_hash)
    }
    assert.deepEqual(new Set(entries.map(({ begins }) => begins?.removes)), new Set([true, false, undefined]))
  })

  it("prove access to a real service, by a signature over the request without the proof", async () => {
    const { at, content, access_tbs, signature, request } = vectors.access
    assert.equal(access_tbs, hex(joined(u64(at), v(unhex(content)))))
    const signed = { content: unhex(access_tbs), signature: unhex(signature) }
    assert.ok(isSigned(interval.access_key, named("proof of access"), signed))
    assert.equal(content.slice(0, 2), named("first byte of a request").slice(2))
    assert.equal(content.slice(-2), "00")
    const proof = hex(joined(Uint8Array.of(1), unhex(interval.access_key), u64(at), v(unhex(signature))))
    assert.equal(request, content.slice(0, -2) + proof)
    const asked = await service(at)
    const idempotencyId = derived("creation", 16)
    const creation = { type: "createGroup", groupId, idempotencyId, accessKey: unhex(interval.access_key) } as const
    assert.equal((await asked(deliveryRequests.encode(creation))).type, "done")
    assert.equal((await asked(unhex(request))).type, "entries")
    const forged = unhex(request)
    forged[forged.length - 1]! ^= 1
    assert.equal((await asked(forged)).type, "denied")
  })

  it("seal a knock as the document says, and it is opened", () => {
    const hashes = joined(...knock.leaf_node_hashes.map((it) => v(unhex(it))))
    const seen = joined(u64(knock.seen), v(unhex(knock.seen_hash)), Uint8Array.of(1), u64(knock.stuck_at))
    const ids = joined(unhex(knock.id), v(unhex(vectors.group_id)), unhex(knock.interval))
    assert.equal(knock.knock_tbs, hex(joined(ids, v(hashes), seen, v(unhex(knock.key_package)))))
    const signed = { content: unhex(knock.knock_tbs), signature: unhex(knock.signature) }
    assert.ok(isSigned(knock.signature_public_key, named("knock"), signed))
    const context = joined(Uint8Array.of(1), v(unhex(vectors.group_id)), unhex(knock.id))
    assert.equal(knock.context, hex(context))
    const plaintext = joined(signed.content, v(signed.signature))
    assert.equal(knock.sealed, sealedWith({ key: interval.knock_key, nonce: knock.nonce, plaintext, context }))
    const keys = new IntervalKeys(suite, unhex(interval.interval_secret))
    const left = { id: unhex(knock.id), key: keys.accessKey, sealed: unhex(knock.sealed), at: 0n }
    const opened = openKnock(groupId, left, keys)
    assert.ok(opened !== undefined && isSignedBy(suite, opened, unhex(knock.signature_public_key)))
    const leaf = decodeKeyPackage(unhex(knock.key_package)).leafNode
    assert.equal(hex(leaf.signatureKey), knock.signature_public_key)
    assert.equal(hex(sha256(encode(LeafNode, leaf))), knock.leaf_node_hashes[1])
  })

  it("seal an answer as the document says, and it is opened", () => {
    const id = unhex(vectors.group_id)
    const context = joined(Uint8Array.of(2), v(id), unhex(knock.id))
    assert.equal(answer.context, hex(context))
    const plaintext = unhex(answer.welcome)
    const welcome = sealedWith({ key: answer.key, nonce: answer.welcome_nonce, plaintext, context: id })
    assert.equal(answer.sealed_welcome, welcome)
    const sealed = { key: interval.knock_key, nonce: answer.key_nonce, plaintext: unhex(answer.key), context }
    assert.equal(answer.sealed_key, sealedWith(sealed))
    const keys = new IntervalKeys(suite, unhex(interval.interval_secret))
    const found = { key: unhex(answer.sealed_key), welcome: unhex(answer.sealed_welcome) }
    assert.deepEqual(openAnswer(suite, { groupId, knock: unhex(knock.id), keys }, found), plaintext)
  })

  it("tell a newcomer the interval, by the extension that the document names", () => {
    const { extension_type, extension_data, continues, continuing_data } = vectors.newcomer
    assert.equal(extension_type, Number(named("extension type of Newcomer")))
    const secret = v(unhex(interval.interval_secret))
    const told = joined(Uint8Array.of(1), secret, unhex(interval.access_key), Uint8Array.of(0))
    assert.equal(extension_data, hex(joined(told, Uint8Array.of(0))))
    const before = joined(v(unhex(continues.group_id)), v(joined(...continues.names.map((name) => v(text(name))))))
    assert.equal(continuing_data, hex(joined(told, Uint8Array.of(1), before)))
    const extension = { extensionType: extension_type, extensionData: unhex(continuing_data) }
    const { keys, continues: read } = readNewcomer(suite, [extension, entranceExtension(new Uint8Array(32))])!
    assert.deepEqual([hex(keys.accessKey), read?.names], [interval.access_key, continues.names])
  })

  it("name the commit of a Welcome, by the extension that the document names", () => {
    const kind = Uint8Array.of(3)
    for (const { epoch, body, begins, extension_type, extension_data } of vectors.entrance) {
      assert.equal(extension_type, Number(named("extension type of Entrance")))
      const registered = begins === "" ? Uint8Array.of(0) : joined(Uint8Array.of(1), unhex(begins))
      const link = joined(kind, u64(epoch), sha256(unhex(body)), registered)
      assert.equal(extension_data, hex(sha256(link)))
    }
  })

  it("are payloads as the document says", () => {
    const { message_id, sent_at, ...kinds } = vectors.payload
    const head = joined(Uint8Array.of(1), unhex(message_id), u64(sent_at))
    const said = { text: text(kinds.text.text), bytes: unhex(kinds.bytes.bytes), title: text(kinds.title.title) }
    for (const [n, kind] of (["text", "bytes", "title"] as const).entries()) {
      assert.equal(kinds[kind].payload, hex(joined(head, Uint8Array.of(n + 1), v(said[kind]))), kind)
      assert.equal(payload.decodePayload(unhex(kinds[kind].payload)).body.type, kind)
    }
  })
})

/** The Delivery Service at the time `at`, as a function from a request to its answer. */
async function service(at: number) {
  const respond = deliveryService({
    store: memoryStore(sha256),
    directory: async () => undefined,
    crypto: provider,
    now: () => at,
    onError: assert.ifError,
  })
  return async (request: Uint8Array) => {
    for await (const response of respond(request, { early: false, signal: new AbortController().signal })) {
      return decode(DeliveryResponse, response)
    }
    throw new TypeError("no answer")
  }
}

// --- What the document names -----------------------------------------------------------------------------------------

const codecs = [
  ...[Access, AccessTBS, Pass, LogHead, ServiceIdentity, HeadClaim, Evidence, Envelope, HandshakeData],
  ...[DeliveryRequest, DeliveryResponse, DeviceRequestTBS, EntryKind],
  ...[SignalTBS, SignedSignal, KnockTBS, SignedKnock, KnockContext, Newcomer, Entrance, payload.Payload],
  ...[RevocationTBS, RevokedDevice],
]

describe("docs/conversations.md", () => {
  it("defines structs as the code's codecs do", () => {
    const expected = definitionsOf(codecs)
    const blocks = [...document.matchAll(/^```tls\n([\s\S]*?)^```/gm)].map(([, block]) => block!)
    const source = blocks.join("\n").replace(/\/\*[\s\S]*?\*\//g, "")
    const defined = [...source.matchAll(/^(?:struct|enum) \{(?:.*|[\s\S]*?\n)\} (\w+);$/gm)]
    assert.ok(defined.length > 20, `${defined.length} definitions`)
    assert.equal(new Set(defined.map(([, name]) => name)).size, defined.length)
    for (const [definition, name] of defined) {
      assert.equal(definition.replace(/\s+/g, " "), expected.get(name!), name)
    }
  })

  it("lists requests with the numbers and fields of the code", () => {
    const [, cases] = /select \(kind\) \{ (.*) \}; \} DeliveryRequest;$/.exec(DeliveryRequest.definition!)!
    const expected = new Map(
      [...cases!.matchAll(/case (\w+): (.*?);(?= case |$)/g)].map(([, name, fields]) => [name!, fields!] as const),
    )
    const numbers = /enum \{ (.*) \}/.exec(DeliveryRequestKind.definition!)![1]!
    const listed = [...document.matchAll(/^\| (\w+) \| (\d+) \| (.*) \|$/gm)]
    assert.equal(listed.length, 20)
    for (const [, name, number, fields] of listed) {
      assert.ok(numbers.split(", ").includes(`${name}(${number})`), name)
      assert.equal(fields, expected.get(name!), name)
    }
  })

  it("names the code's labels, numbers and limits", () => {
    const number = (name: string) => Number(named(name).replaceAll(",", ""))
    assert.equal(named("exporter"), INTERVAL_LABEL)
    assert.equal(named("proof of access"), ACCESS_LABEL)
    assert.equal(named("proof of a device"), DEVICE_REQUEST_LABEL)
    assert.equal(named("head of a log"), LOG_HEAD_LABEL)
    assert.equal(named("handover of the service's key"), SERVICE_KEY_LABEL)
    assert.equal(named("knock"), KNOCK_LABEL)
    assert.equal(named("revocation"), REVOCATION_LABEL)
    assert.equal(number("extension type of Newcomer"), NEWCOMER_EXTENSION)
    assert.equal(number("version of Newcomer"), NEWCOMER_VERSION)
    assert.equal(number("extension type of Entrance"), ENTRANCE_EXTENSION)
    assert.equal(number("version of a payload"), payload.PAYLOAD_VERSION)
    assert.equal(number("version of an envelope"), ENVELOPE_VERSION)
    assert.equal(number("version of HandshakeData"), HANDSHAKE_DATA_VERSION)
    assert.equal(number("version of evidence"), EVIDENCE_VERSION)
    assert.equal(number("links kept"), LINKS_KEPT)
    assert.equal(number("handshakes kept"), HANDSHAKES_KEPT)
    assert.equal(number("first byte of a request"), 0x80 | deliveryRequests.version)
    for (const reason of ["declined", "unverified", "limit"] as const) {
      assert.equal(named(`leaves because: ${reason}`), Buffer.from(declinedData(reason)).toString("latin1"))
    }
    assert.equal(number("proposals of a commit"), conversationProfile.proposalsMax)
    assert.equal(number("names invited or removed by one commit"), NAMES_AT_ONCE_MAX)
    assert.equal(number("bytes of a content"), payload.CONTENT_SIZE_MAX)
    assert.equal(number("bytes of a title"), payload.TITLE_SIZE_MAX)
  })

  it("names the sizes that a real service takes by default", async () => {
    const asked = await service(0)
    const common = { groupId, access: noAccess }
    const knock = { type: "knock", ...common, id: derived("id", 16), sealed: new Uint8Array(2 ** 17) } as const
    const entry = { idempotencyId: derived("id", 16), kind: "application", epoch: 0n, commit: undefined } as const
    const append = { type: "append", ...common, ...entry, body: new Uint8Array(2 ** 21), after: 0n } as const
    for (const [request, name] of [[knock, "bytes of a sealed knock"] as const, [append, "bytes of a body"] as const]) {
      const answer = await asked(deliveryRequests.encode(request))
      assert.ok(answer.type === "tooLarge")
      assert.equal(answer.max, Number(named(name).replaceAll(",", "")), name)
    }
  })

  it("names files that exist", () => {
    const files = [...document.matchAll(/`((?:packages|model|attack)\/[^`]+)`/g)].map(([, path]) => path!)
    const links = [...document.matchAll(/\]\(([^)#]+)\)/g)].map(([, path]) => `docs/${path}`)
    assert.ok(files.length > 15, `${files.length} files`)
    for (const path of [...files, ...links]) assert.ok(existsSync(new URL(path, new URL("../", docs))), path)
  })
})
