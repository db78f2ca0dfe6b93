import assert from "node:assert/strict"
import { createCipheriv, createDecipheriv, createHash, createHmac } from "node:crypto"
import { readFileSync, writeFileSync } from "node:fs"
import { describe, it } from "node:test"
import { decode, encode } from "@conclave/codec"
import { BLOB_CHUNK_SIZE, blobHash } from "@conclave/contracts/blobs"
import { cipherSuite, signWithLabel } from "@conclave/mls"
import {
  openSignal,
  SIGNAL_CONTENT_MAX,
  SIGNAL_LABEL,
  SIGNAL_SIZE,
  SIGNATURE_LABEL,
  SignalTBS,
  SignedSignal,
  sealSignal,
  signalKey,
} from "../src/access/signals.js"
import { blobAead, openPiece, PIECE_SIZE, piecesOf, sealedSize, sealPiece } from "../src/blobs/chunks.js"
import { provider } from "./support/world.js"

const docs = new URL("../../../../docs/", import.meta.url)
const file = new URL("beside-vectors.json", docs)
const document = readFileSync(new URL("conversations.md", docs), "utf8")
const rows = new Map([...document.matchAll(/^\| ([^|]+?) \| `([^`]+)` \|/gm)].map(([, name, value]) => [name!, value!]))
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")
const unhex = (text: string) => new Uint8Array(Buffer.from(text, "hex"))
const sha256 = (...parts: readonly Uint8Array[]) => {
  const hash = createHash("sha256")
  for (const part of parts) hash.update(part)
  return new Uint8Array(hash.digest())
}

const plaintext = new Uint8Array(PIECE_SIZE + 5).map((_, at) => at % 251)

async function blobVector() {
  const key = sha256(Buffer.from("the key of a blob"))
  const chunks: Uint8Array[] = []
  for await (const piece of piecesOf([plaintext], plaintext.length)) {
    chunks.push(sealPiece(blobAead(provider), key, piece.plaintext, piece))
  }
  const hashes = chunks.map((chunk) => sha256(chunk))
  return {
    key: hex(key),
    size: sealedSize(plaintext.length),
    chunk_hashes: hashes.map(hex),
    last_chunk: hex(chunks.at(-1)!),
    hash: hex(blobHash(sha256, BigInt(sealedSize(plaintext.length)), hashes)),
  }
}

const suite = cipherSuite(1, provider)
const groupId = sha256(Buffer.from("a group"))

/** Of the epoch with this exporter secret (RFC 9420 §8.5). */
function signalVector() {
  const exporter = sha256(Buffer.from("the exporter secret of an epoch"))
  const signer = suite.signature.importKey(sha256(Buffer.from("a leaf's signature key")))
  const key = signalKey(suite, groupId, ({ label, context, length }) => exported(exporter, label, { context, length }))
  const nonce = sha256(Buffer.from("a nonce")).slice(0, 12)
  const tbs = { groupId, epoch: 7n, leafIndex: 2, number: 1_800_000_000_000n, content: Buffer.from("typing") }
  return {
    cipher_suite: 1,
    group_id: hex(groupId),
    exporter_secret: hex(exporter),
    signal_key: hex(key),
    signature_key: hex(signer.publicKey),
    ...{ epoch: 7, leaf_index: 2, number: 1_800_000_000_000, content: hex(tbs.content), nonce: hex(nonce) },
    body: hex(sealSignal(suite, tbs, { key, signer, random: () => nonce.slice() })),
  }
}

interface Expanded {
  readonly context: Uint8Array
  readonly length: number
}

const v = (bytes: Uint8Array) => Uint8Array.of(bytes.length, ...bytes)
const text = (content: string) => new Uint8Array(Buffer.from(content))
const hmac = (key: Uint8Array, ...parts: readonly Uint8Array[]) => {
  const mac = createHmac("sha256", key)
  for (const part of parts) mac.update(part)
  return new Uint8Array(mac.digest())
}
/** ExpandWithLabel (RFC 9420 §8) of at most 32 bytes. */
const expanded = (secret: Uint8Array, label: string, { context, length }: Expanded) =>
  hmac(secret, Uint8Array.of(0, length), v(text(`MLS 1.0 ${label}`)), v(context), Uint8Array.of(1)).slice(0, length)
/** MLS-Exporter (RFC 9420 §8.5). */
const exported = (secret: Uint8Array, label: string, { context, length }: Expanded) =>
  expanded(expanded(secret, label, { context: new Uint8Array(), length: 32 }), "exported", {
    ...{ context: sha256(context), length },
  })

const made = { blob: await blobVector(), signal: signalVector() }
if (process.env.WRITE_VECTORS) writeFileSync(file, `${JSON.stringify(made, null, 2)}\n`)
const vectors: typeof made = JSON.parse(readFileSync(file, "utf8"))

describe("the vectors of what lies beside the log", () => {
  it("are what this implementation makes", () => assert.deepEqual(made, vectors))

  it("of a blob are STREAM over ChaCha20-Poly1305, by another implementation", () => {
    const { key, size, chunk_hashes, last_chunk, hash } = vectors.blob
    const sealed = [0, 1].map((number) => {
      const nonce = Buffer.alloc(12)
      nonce.writeUInt32BE(number, 7)
      nonce[11] = number
      const cipher = createCipheriv("chacha20-poly1305", unhex(key), nonce, { authTagLength: 16 })
      const piece = plaintext.subarray(number * 262_128, (number + 1) * 262_128)
      return Buffer.concat([cipher.update(piece), cipher.final(), cipher.getAuthTag()])
    })
    assert.deepEqual(
      sealed.map((it) => hex(sha256(it))),
      chunk_hashes,
    )
    assert.equal(hex(sealed[1]!), last_chunk)
    assert.deepEqual(
      sealed.map(({ length }) => length),
      [BLOB_CHUNK_SIZE, 21],
    )
    const length = Buffer.alloc(8)
    length.writeUInt32BE(size, 4)
    assert.equal(hex(sha256(Buffer.from("Conclave blob"), length, ...chunk_hashes.map(unhex))), hash)
  })

  it("of a blob open as what they are, and as no other piece", () => {
    const [aead, key, sealed] = [blobAead(provider), unhex(vectors.blob.key), unhex(vectors.blob.last_chunk)]
    assert.deepEqual(openPiece(aead, key, sealed, { number: 1, isLast: true }), plaintext.slice(PIECE_SIZE))
    assert.equal(openPiece(aead, key, sealed, { number: 1, isLast: false }), undefined)
    assert.equal(openPiece(aead, key, sealed, { number: 0, isLast: true }), undefined)
  })

  it("of a signal open by another implementation, to what its leaf has signed", () => {
    const { signal } = vectors
    const labels = [...document.matchAll(/^\| (signal key|signal) \| `([^`]+)` \|/gm)].map(([, , label]) => label)
    assert.deepEqual(labels, [SIGNAL_LABEL, SIGNATURE_LABEL])
    const key = exported(unhex(signal.exporter_secret), labels[0]!, { context: unhex(signal.group_id), length: 16 })
    assert.equal(hex(key), signal.signal_key)
    const body = unhex(signal.body)
    const decipher = createDecipheriv("aes-128-gcm", key, body.subarray(0, 12), { authTagLength: 16 })
    decipher.setAAD(unhex(signal.group_id))
    decipher.setAuthTag(body.subarray(-16))
    const plaintext = new Uint8Array(Buffer.concat([decipher.update(body.subarray(12, -16)), decipher.final()]))
    assert.equal(plaintext.length, SIGNAL_SIZE)
    const { tbs, signature, padding } = decode(SignedSignal, plaintext)
    assert.deepEqual(tbs, {
      ...{ groupId: unhex(signal.group_id), epoch: BigInt(signal.epoch), leafIndex: signal.leaf_index },
      ...{ number: BigInt(signal.number), content: unhex(signal.content) },
    })
    assert.ok(padding.length > 100 && padding.every((byte) => byte === 0))
    const signer = suite.signature.importKey(sha256(Buffer.from("a leaf's signature key")))
    assert.deepEqual(signWithLabel(signer, labels[1]!, encode(SignalTBS, tbs)), signature)
    const opening = { groupId, epoch: 7n, key, signatureKeyOf: () => unhex(signal.signature_key) }
    assert.deepEqual(openSignal(suite, body, opening), tbs)
  })

  it("go by the numbers that the document names", () => {
    const number = (name: string) => Number(rows.get(name)?.replaceAll(",", ""))
    assert.equal(number("bytes of what is sealed of a signal"), SIGNAL_SIZE)
    assert.equal(number("bytes of a signal's content"), SIGNAL_CONTENT_MAX)
    assert.equal(number("bytes of a chunk"), BLOB_CHUNK_SIZE)
    assert.equal(rows.get("hash of a blob"), "Conclave blob")
  })
})
