import assert from "node:assert/strict"
import { test } from "node:test"
import { checkedAead } from "../src/checked/aead.js"
import { isEcdsaSignature } from "../src/checked/der.js"
import { montgomeryGroup } from "../src/checked/group.js"
import { edwardsScheme } from "../src/checked/signature.js"
import { plain } from "../src/node/bytes.js"
import { derSignature, type Oddities } from "./der.js"
import { bytes, empty } from "./support.js"

/*
 * The libraries in use are strict themselves in most of what is checked before they are asked. These tests stand in for
 * one that is not: a later version, or another runtime's node:crypto.
 */

test("a signature is DER in its one spelling, whatever the library would parse", () => {
  const [r, s] = [0x7fn << 248n, 0x80n << 248n]
  assert.equal(isEcdsaSignature(derSignature(r, s), 32), true)
  assert.equal(isEcdsaSignature(derSignature(1n, 1n), 32), true)
  // Long enough for a length in long form.
  assert.equal(isEcdsaSignature(derSignature(1n << 520n, 1n << 520n), 66), true)

  const odd: Oddities[] = [
    { zerosBeforeR: 1 },
    { zerosBeforeS: 1 },
    { zerosBeforeR: 100 },
    { lengthOfR: "long" },
    { lengthOfR: "longest" },
    { sequence: "indefinite" },
    { behindS: [0] },
    { behindS: [2, 1, 1] },
    { tagOfR: 4 },
    { tag: 0x31 },
  ]
  for (const oddities of odd) assert.equal(isEcdsaSignature(derSignature(r, s, oddities), 32), false)
  assert.equal(isEcdsaSignature(new Uint8Array([...derSignature(r, s), 0]), 32), false)
  for (const step of [-1, 1]) {
    const misstated = derSignature(r, s)
    misstated[1]! += step
    assert.equal(isEcdsaSignature(misstated, 32), false)
  }
  for (const negative of [derSignature(-1n, s), derSignature(r, -1n)]) {
    assert.equal(isEcdsaSignature(negative, 32), false)
  }
  for (const zero of [derSignature(0n, s), derSignature(r, 0n)]) assert.equal(isEcdsaSignature(zero, 32), false)
  for (const long of [derSignature(1n << 256n, s), derSignature(r, 1n << 256n)]) {
    assert.equal(isEcdsaSignature(long, 32), false)
  }
  for (const hex of ["", "30", "3000", "300402000200", "3003020101", "30060201", "30810602010102010", "3080"]) {
    assert.equal(isEcdsaSignature(bytes(hex), 32), false)
  }
})

test("a signature cut short anywhere is no signature", () => {
  const signature = derSignature(1n << 520n, 1n << 519n)
  for (let length = 0; length < signature.length; length++) {
    assert.equal(isEcdsaSignature(signature.subarray(0, length), 66), false)
  }
})

test("an all-zero product is refused where the library lets it pass", () => {
  const group = montgomeryGroup("X25519", {
    publicKey: () => new Uint8Array(32).fill(9),
    multiply: () => new Uint8Array(32),
  })
  assert.equal(group.diffieHellman(new Uint8Array(32), new Uint8Array(32)), undefined)
  assert.equal(group.exchange!(new Uint8Array(32), new Uint8Array(32)), undefined)
})

test("a library is never asked to open less than a tag", () => {
  const credulous = checkedAead("AES-128-GCM", { seal: () => empty, open: () => empty })
  const [key, nonce] = [new Uint8Array(16), new Uint8Array(12)]
  assert.equal(credulous.open(key, nonce, new Uint8Array(15), empty), undefined)
  assert.equal(credulous.open(key, nonce, new Uint8Array(16), empty), empty)
})

test("a library is never asked about an EdDSA key that has another length", () => {
  const credulous = edwardsScheme("Ed25519", {
    importKey: (privateKey) => ({ publicKey: privateKey, sign: () => empty }),
    verify: () => true,
  })
  const key = bytes("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
  const signature = new Uint8Array([...key, ...new Uint8Array(32)])
  assert.equal(credulous.verify(key, empty, signature), true)
  assert.equal(credulous.verify(key.subarray(1), empty, signature), false)
  assert.equal(credulous.verify(key, empty, signature.subarray(1)), false)
  assert.equal(credulous.verify(key, empty, new Uint8Array([...signature, 0])), false)
})

test("bytes in Node's shared pool are copied out of it", () => {
  const pooled = Buffer.from("pooled")
  assert.ok(pooled.buffer.byteLength > pooled.length)
  const copy = plain(pooled)
  assert.equal(Object.getPrototypeOf(copy), Uint8Array.prototype)
  assert.equal(copy.buffer.byteLength, copy.length)
  assert.equal(String(Buffer.from(copy)), "pooled")
})
