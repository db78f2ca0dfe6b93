import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { encode } from "@conclave/codec"
import {
  type Device,
  RECOVERY_KEY_LABEL,
  RECOVERY_REPLACEMENT_LABEL,
  REVOCATION_LABEL,
  type RecoveryKey,
  RecoveryKeyTBS,
  RevocationTBS,
} from "@conclave/contracts/auth"
import type { SigningKey } from "@conclave/crypto"
import { nodeProvider } from "@conclave/crypto/node"
import { signWithLabel } from "@conclave/mls"
import { isEndorsement, trustedRecovery, verifyRecovery } from "../src/verdicts/index.js"
import { endorse, type Listed, Listing, suite } from "./listing.js"

const provider = nodeProvider()
const makeKey = () => suite.signature.generate((length) => provider.random(length))

function binding(recovery: SigningKey, by: SigningKey, at: bigint, label = RECOVERY_KEY_LABEL): RecoveryKey {
  const said = { recoveryKey: recovery.publicKey, signerKey: by.publicKey, at }
  const content = encode(RecoveryKeyTBS, { name: "bob", ...said })
  const sign = (key: SigningKey) => signWithLabel(key, label, content)
  return { ...said, signature: sign(by), proof: sign(recovery) }
}

interface Shown {
  readonly pinned: readonly Listed[]
  readonly devices: readonly Device[]
  readonly recovery: readonly RecoveryKey[]
  readonly known?: readonly RecoveryKey[]
}

function trusted({ pinned, devices, recovery, known = [] }: Shown) {
  return trustedRecovery({
    ...{ name: "bob", pinned: pinned.map(({ device }) => device.signatureKey), devices, revoked: [], recovery, known },
    revocations: [],
    verifyEndorsement: (claim) => isEndorsement(suite, claim),
    verify: verifyRecovery(suite, provider),
  })
}

describe("a directory that works with a thief", () => {
  it("does not put the stolen oldest device before the recovery key that it has bound", () => {
    const listing = new Listing()
    const laptop = listing.list("bob")
    const devices = listing.devices.get("bob")!
    const [key, next] = [makeKey(), makeKey()]
    const first = binding(key, laptop.key, 100n)
    const replaced = binding(next, key, 200n, RECOVERY_REPLACEMENT_LABEL)
    const pinned = [laptop]
    assert.equal(trusted({ pinned, devices, recovery: [first, replaced] }).length, 2)
    const [self, other] = [binding(laptop.key, laptop.key, 50n), binding(laptop.key, makeKey(), 50n)]
    for (const recovery of [
      [self, first],
      [other, first],
    ]) {
      assert.equal(trusted({ pinned, devices, recovery }), "other")
    }
    // A statement says whether it is by a device or by the key before it.
    const asDevice = binding(next, key, 200n)
    assert.equal(trusted({ pinned, devices, recovery: [first, asDevice] }), "other")
    assert.equal(
      trusted({ pinned, devices, recovery: [binding(key, laptop.key, 100n, RECOVERY_REPLACEMENT_LABEL)] }),
      "other",
    )
  })
})
