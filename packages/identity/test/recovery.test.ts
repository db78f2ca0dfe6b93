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
import {
  isEndorsement,
  isRevocation,
  type KnownRevocation,
  newRevocations,
  trustedRecovery,
  verifyRecovery,
} from "../src/verdicts/index.js"
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
  readonly revocations?: readonly KnownRevocation[]
  readonly before?: readonly KnownRevocation[]
}

function trusted({ pinned, devices, recovery, known = [], revocations = [], before = [] }: Shown) {
  return trustedRecovery({
    ...{ name: "bob", pinned: pinned.map(({ device }) => device.signatureKey), devices, revoked: [], recovery, known },
    ...{ revocations, before },
    verifyEndorsement: (claim) => isEndorsement(suite, claim),
    verify: verifyRecovery(suite, provider),
  })
}

/** What a device of Bob's says of another, and what is believed of it. */
function believed(pinned: readonly Listed[], devices: readonly Device[], [by, of]: readonly [Listed, Device]) {
  const { deviceId, signatureKey } = of
  const said = { deviceId, signatureKey, revokerKey: by.device.signatureKey, at: 1_000n }
  const signature = signWithLabel(by.key, REVOCATION_LABEL, encode(RevocationTBS, { name: "bob", ...said }))
  const revoked: KnownRevocation[] = [{ device: of, revocation: { ...said, signature } }]
  return newRevocations({
    ...{ name: "bob", pinned: pinned.map(({ device }) => device.signatureKey), devices, revoked, known: [] },
    verifyEndorsement: (claim) => isEndorsement(suite, claim),
    verifyRevocation: (claim) => isRevocation(suite, claim),
  }).length
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

  it("does not show a recovery key of a device only after that has retired, whatever its date says", () => {
    const listing = new Listing()
    const laptop = listing.list("bob", undefined, 1n)
    listing.list("bob", laptop, 2n)
    const [pinned, devices, recovery] = [[laptop], listing.devices.get("bob")!, [binding(makeKey(), laptop.key, 100n)]]
    const { device } = laptop
    const revocation = { ...device, revokerKey: device.signatureKey, at: 1_000n, signature: new Uint8Array(64) }
    const retired = [{ device, revocation }]
    assert.equal(trusted({ pinned, devices, recovery, revocations: retired }).length, 1, "shown together")
    assert.equal(trusted({ pinned, devices, recovery, revocations: retired, before: retired }), "other")
  })

  it("does not make a stolen younger device the oldest one by leaving out who has endorsed it", () => {
    const listing = new Listing()
    const laptop = listing.list("bob", undefined, 1n)
    const phone = listing.list("bob", laptop, 2n)
    const tablet = listing.list("bob", phone, 3n)
    const pinned = [laptop, phone, tablet]
    const bare = (it: Listed, registeredAt = 0n): Device => ({ ...it.device, registeredAt, endorsement: undefined })
    const by = (it: Listed, endorser: Listed): Device => {
      return { ...it.device, endorsement: endorse(endorser, { name: "bob", signatureKey: it.device.signatureKey }) }
    }
    const lies = [
      [bare(phone), tablet.device],
      [bare(phone), laptop.device],
      [bare(phone), by(laptop, phone)],
      [by(phone, tablet), by(tablet, phone)],
      [bare(phone), bare(tablet), bare(laptop, 9n)],
    ]
    const recovery = [binding(makeKey(), phone.key, 100n)]
    for (const devices of lies) {
      assert.equal(trusted({ pinned, devices, recovery }), "other")
      assert.equal(believed(pinned, devices, [phone, laptop.device]), 0)
      assert.equal(believed(pinned, [bare(tablet), ...devices], [tablet, phone.device]), 0)
    }
    const honest = [laptop, phone, tablet].map(({ device }) => device)
    assert.equal(believed(pinned, honest, [laptop, phone.device]), 1)
    assert.equal(believed(pinned, honest, [phone, tablet.device]), 1)
    assert.equal(trusted({ pinned, devices: honest, recovery: [binding(makeKey(), laptop.key, 100n)] }).length, 1)
  })
})
