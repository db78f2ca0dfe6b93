import assert from "node:assert/strict"
import { createCipheriv, createHash } from "node:crypto"
import { readFileSync, writeFileSync } from "node:fs"
import { describe, it } from "node:test"
import { BLOB_CHUNK_SIZE, blobHash } from "@conclave/contracts/blobs"
import { blobAead, openPiece, PIECE_SIZE, piecesOf, sealedSize, sealPiece } from "../src/blobs/chunks.js"
import { provider } from "./support/world.js"

const docs = new URL("../../../../docs/", import.meta.url)
const file = new URL("beside-vectors.json", docs)
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

const made = { blob: await blobVector() }
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
})
