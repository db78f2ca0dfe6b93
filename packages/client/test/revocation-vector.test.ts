import assert from "node:assert/strict"
import { createPublicKey, verify } from "node:crypto"
import { readFileSync } from "node:fs"
import { describe, it } from "node:test"
import { isRevocation } from "@conclave/identity/verdicts"
import { cipherSuite } from "@conclave/mls"
import { type revocationVector, sha256 } from "./support/revocation-vector.js"
import { provider } from "./support/world.js"

const file = new URL("../../../../docs/conversations-vectors.json", import.meta.url)
const { revocation: vector }: { readonly revocation: ReturnType<typeof revocationVector> } = JSON.parse(
  readFileSync(file, "utf8"),
)
const suite = cipherSuite(1, provider)

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")
const unhex = (text: string) => new Uint8Array(Buffer.from(text, "hex"))
const text = (it: string) => new TextEncoder().encode(it)
/** A vector of RFC 9420 §2.1.2, of less than 64 bytes or of two bytes of length. */
const v = (bytes: Uint8Array) => {
  const { length } = bytes
  return Buffer.concat([
    length < 64 ? Uint8Array.of(length) : Uint8Array.of(0x40 | (length >> 8), length & 0xff),
    bytes,
  ])
}

describe("the vector of a revocation", () => {
  const { name, signature_key, revoker_key, at, device_id, revocation_tbs, signature } = vector

  it("is what docs/conversations.md says, in bytes, and by SignWithLabel", () => {
    assert.equal(device_id, hex(sha256(Uint8Array.of(0, 1), unhex(signature_key))))
    const time = unhex(at.toString(16).padStart(16, "0"))
    const parts = [text(name), unhex(device_id), unhex(signature_key), unhex(revoker_key)].map(v)
    assert.equal(revocation_tbs, hex(Buffer.concat([...parts, time])))
    const der = Buffer.concat([unhex("302a300506032b6570032100"), unhex(revoker_key)])
    const key = createPublicKey({ key: der, format: "der", type: "spki" })
    const signed = Buffer.concat([v(text("MLS 1.0 ConclaveRevocation")), v(unhex(revocation_tbs))])
    assert.ok(verify(null, signed, key, unhex(signature)))
  })

  it("is believed of that name, device and key, and of no other", () => {
    const revocation = {
      ...{ deviceId: unhex(device_id), signatureKey: unhex(signature_key), revokerKey: unhex(revoker_key) },
      ...{ at: BigInt(at), signature: unhex(signature) },
    }
    const isBelieved = (changes: object, of = name) =>
      isRevocation(suite, {
        name: of,
        revocation: { ...revocation, ...changes },
        device: { cipherSuite: suite.number },
      })
    assert.equal(isBelieved({}), true)
    assert.equal(isBelieved({}, "bob"), false)
    assert.equal(isBelieved({ deviceId: sha256(unhex(signature_key)) }), false)
    assert.equal(isBelieved({ signatureKey: unhex(revoker_key) }), false)
    assert.equal(isBelieved({ revokerKey: unhex(signature_key) }), false)
    assert.equal(isBelieved({ at: BigInt(at) + 1n }), false)
  })
})
