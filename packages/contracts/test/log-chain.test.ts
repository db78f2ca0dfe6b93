import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { describe, it } from "node:test"
import { nodeProvider } from "@conclave/crypto/node"
import { logChainHash, logChainStart } from "../src/log-chain.js"

const crypto = nodeProvider()
const sha256 = (...parts: readonly Uint8Array[]) => crypto.hashes["SHA-256"]!.digest(...parts)
const random = (length: number) => crypto.random(length)

/** The chain as its drawing says, without the code that makes it. */
const hash = (...hex: readonly string[]) => createHash("sha256").update(hex.join(""), "hex").digest("hex")
const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")

describe("the chain of a log", () => {
  const groupId = new Uint8Array(32).fill(0xab)
  const body = Uint8Array.of(1, 2, 3)
  const accessKey = new Uint8Array(32).fill(1)

  it("starts with its label and the group's id", () => {
    const label = Buffer.from("Conclave log").toString("hex")
    assert.equal(hexOf(logChainStart(sha256, groupId)), hash(label, "20", "ab".repeat(32)))
    assert.notDeepEqual(logChainStart(sha256, random(32)), logChainStart(sha256, groupId))
  })

  it("goes on with seq, kind, epoch and the hash of the body", () => {
    const previous = random(32)
    const chained = logChainHash(sha256, previous, { seq: 0x0102n, kind: "commit", epoch: 7n, body, begins: undefined })
    const expected = hash(hexOf(previous), "0000000000000102", "03", "0000000000000007", hash("010203"))
    assert.equal(hexOf(chained), expected)
  })

  it("covers the interval that a commit begins, after the hash of the body", () => {
    const previous = random(32)
    const begins = { accessKey: new Uint8Array(32).fill(0xcd), removes: true }
    const chained = logChainHash(sha256, previous, { seq: 1n, kind: "commit", epoch: 0n, body, begins })
    const header = `${"0000000000000001"}${"03"}${"0000000000000000"}`
    assert.equal(hexOf(chained), hash(hexOf(previous), header, hash("010203"), "cd".repeat(32), "01"))
  })

  it("is another one if anything of an entry is another", () => {
    const previous = random(32)
    const entry = { seq: 5n, kind: "application", epoch: 2n, body, begins: undefined } as const
    const variants = [
      logChainHash(sha256, previous, entry),
      logChainHash(sha256, random(32), entry),
      logChainHash(sha256, previous, { ...entry, seq: 6n }),
      logChainHash(sha256, previous, { ...entry, kind: "proposal" }),
      logChainHash(sha256, previous, { ...entry, epoch: 3n }),
      logChainHash(sha256, previous, { ...entry, begins: { accessKey, removes: true } }),
      logChainHash(sha256, previous, { ...entry, begins: { accessKey, removes: false } }),
      logChainHash(sha256, previous, { ...entry, body: Uint8Array.of(1, 2, 4) }),
    ]
    assert.equal(new Set(variants.map(hexOf)).size, variants.length)
  })
})
