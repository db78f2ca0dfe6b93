import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { nodeProvider } from "@conclave/crypto/node"
import { personCode, safetyCode } from "@conclave/identity"

describe("a safety code", () => {
  it("differs where somebody stands between the two", () => {
    const sha512 = nodeProvider().hashes["SHA-512"]!
    const key = (byte: number) => new Uint8Array(32).fill(byte)
    const [alice, bob] = [
      { name: "alice", signatureKeys: [key(1)] },
      { name: "bob", signatureKeys: [key(2)] },
    ]
    const mallory = { name: "bob", signatureKeys: [key(3)] }
    assert.equal(safetyCode(sha512, [alice, bob]), safetyCode(sha512, [bob, alice]))
    assert.notEqual(safetyCode(sha512, [alice, bob]), safetyCode(sha512, [alice, mallory]))
    const two = { name: "bob", signatureKeys: [key(2), key(3)] }
    const sameTwo = { name: "bob", signatureKeys: [key(3), key(2), key(3)] }
    assert.equal(safetyCode(sha512, [alice, two]), safetyCode(sha512, [alice, sameTwo]))
    assert.notEqual(safetyCode(sha512, [alice, two]), safetyCode(sha512, [alice, bob]))
  })
})

describe("a person’s code", () => {
  it("is their half of the safety code", () => {
    const sha512 = nodeProvider().hashes["SHA-512"]!
    const alice = { name: "alice", signatureKeys: [new Uint8Array(32).fill(1)] }
    const bob = { name: "bob", signatureKeys: [new Uint8Array(32).fill(2), new Uint8Array(32).fill(3)] }
    const halves = [alice, bob].map((person) => personCode(sha512, person))
    assert.equal(halves.sort().join(" "), safetyCode(sha512, [alice, bob]))
    for (const half of halves) assert.match(half, /^\d{5}( \d{5}){5}$/)
  })
})
