import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { CredentialClaim } from "@conclave/mls"
import {
  claimedKeys,
  type EndorsementClaim,
  isEndorsement,
  judgeDevices,
  nameOf,
  newRevocations,
  refusalInWords,
  rootOf,
  withPin,
} from "../src/verdicts/index.js"
import { accepted, basic, endorse, idOf, Listing, suite } from "./listing.js"

describe("a name with hundreds of devices", () => {
  it("has each endorsement and each statement verified once, however the devices come from each other", () => {
    for (const shape of ["star", "chain"] as const) {
      const listing = new Listing()
      const root = listing.list("bob")
      const all = [root]
      for (let at = 1; at < 60; at++) all.push(listing.list("bob", shape === "star" ? root : all.at(-1), BigInt(at)))
      const devices = listing.devices.get("bob")!
      const said = { revokerKey: root.device.signatureKey, signature: new Uint8Array(64) }
      const revoked = devices.slice(20).map((device, at) => {
        return { device, revocation: { ...said, ...device, at: BigInt(1_000 + at) } }
      })
      const counts = { endorsements: 0, revocations: 0 }
      const found = newRevocations({
        ...{ name: "bob", pinned: [root.device.signatureKey], devices: devices.slice(0, 20), revoked, known: [] },
        verifyEndorsement(claim) {
          counts.endorsements++
          return isEndorsement(suite, claim)
        },
        verifyRevocation() {
          counts.revocations++
          return true
        },
      })
      assert.equal(found.length, 40)
      assert.ok(counts.endorsements <= 59 && counts.revocations === 40, JSON.stringify(counts))
    }
  })
})

describe("at the first contact with a name", () => {
  it("one device is taken on the directory's word, and those that it endorsed; all at once", () => {
    const listing = new Listing()
    const bob = listing.list("bob")
    const phone = listing.list("bob", bob)
    const watch = listing.list("bob", phone)
    const judgement = listing.judge([watch.claim, bob.claim, phone.claim])
    assert.deepEqual(accepted(judgement), [true, true, true])
    assert.deepEqual([judgement.keyChanges, judgement.refused], [[], []])
    assert.ok(listing.pin(judgement))
    assert.equal(listing.pinned.get("bob")?.length, 3)
  })

  it("a device with a false endorsement is refused with an alert, whichever claim comes first", () => {
    for (const order of [1, -1]) {
      const listing = new Listing()
      const bob = listing.list("bob")
      const ghost = listing.listForged("bob", bob)
      const judgement = listing.judge([bob.claim, ghost].sort(() => order))
      for (const { claim, accepted } of judgement.verdicts) assert.equal(accepted, claim === bob.claim)
      const alarm = { name: "bob", signatureKey: ghost.signatureKey, endorsed: false, accepted: false }
      assert.deepEqual(judgement.keyChanges, [alarm])
      assert.deepEqual(judgement.refused, [
        { name: "bob", reason: "bob has a device that no other device of bob has endorsed", keyChanged: true },
      ])
      listing.pin(judgement)
      assert.deepEqual(listing.pinned.get("bob"), [bob.device.signatureKey])
    }
  })

  it("a device of another cipher suite is refused, met or known, though its signatures are of the same kind", () => {
    for (const isKnown of [false, true]) {
      const listing = new Listing()
      const bob = listing.list("bob")
      if (isKnown) listing.pin(listing.judge([bob.claim]))
      // ChaCha20 in the place of AES: the key is Ed25519 all the same.
      const phone = listing.list("bob", bob, 1n, 3)
      const judgement = listing.judge([phone.claim])
      assert.deepEqual(accepted(judgement), [false])
      assert.deepEqual(judgement.refused, [
        { name: "bob", reason: "a device of bob has another cipher suite", keyChanged: false },
      ])
      assert.deepEqual(judgement.pins, [])
      const known = { pinned: listing.pinned.get("bob") ?? [], devices: listing.devices.get("bob")! }
      const policy = { verifyEndorsement: (claim: EndorsementClaim) => isEndorsement(suite, claim), cipherSuite: 1 }
      assert.deepEqual(
        judgeDevices("bob", known, policy).map((it) => it.known),
        [true, false],
      )
    }
  })

  it("a device is refused whose endorser is known and has not signed for it", () => {
    const listing = new Listing()
    const bob = listing.list("bob")
    const phone = listing.list("bob", bob)
    const ghost = listing.listForged("bob", phone)
    assert.deepEqual(accepted(listing.judge([bob.claim, phone.claim, ghost])), [true, true, false])
  })

  it("of two devices without an endorsement the older one is taken, however the directory lists them", () => {
    for (const [first, second] of [
      [5n, 9n],
      [9n, 5n],
    ] as const) {
      const listing = new Listing()
      const claims = [listing.list("bob", undefined, first), listing.list("bob", undefined, second)]
      const judgement = listing.judge(claims.map(({ claim }) => claim))
      assert.deepEqual(accepted(judgement), [first === 5n, second === 5n])
      assert.equal(judgement.keyChanges.length, 1)
    }
  })

  it("nobody is taken where no device is the first, or endorsements only lead to each other", () => {
    const listing = new Listing()
    const bob = listing.list("bob")
    const phone = listing.list("bob", bob)
    const { claim, device } = phone
    listing.devices.set("bob", [device])
    assert.deepEqual(rootOf([device]), [])
    assert.deepEqual(accepted(listing.judge([claim])), [false])
    listing.devices.set("bob", [{ ...device, endorsement: { ...device.endorsement!, deviceId: device.deviceId } }])
    assert.deepEqual(accepted(listing.judge([claim])), [false])
    const { signatureKey } = bob.device
    const circle = { ...bob.device, endorsement: endorse(phone, { name: "bob", signatureKey }) }
    listing.devices.set("bob", [circle, device])
    assert.deepEqual(accepted(listing.judge([claim, bob.claim])), [false, false])
  })

  it("the first device is pinned also where only another one is met, which then is no stranger", () => {
    const listing = new Listing()
    const bob = listing.list("bob")
    const phone = listing.list("bob", bob)
    const first = listing.judge([phone.claim], { acceptEndorsed: false })
    assert.deepEqual(first.keyChanges, [])
    listing.pin(first)
    const later = listing.judge([bob.claim], { acceptEndorsed: false })
    assert.deepEqual([accepted(later), later.keyChanges], [[true], []])
  })

  it("a device that is listed and that nobody claims to be raises an alert, unless it comes from the root", () => {
    const listing = new Listing()
    const bob = listing.list("bob")
    listing.list("bob", bob)
    const stranger = listing.list("bob", undefined, 5n)
    const { keyChanges, refused } = listing.judge([bob.claim])
    const { signatureKey } = stranger.device
    assert.deepEqual(keyChanges, [{ name: "bob", signatureKey, endorsed: false, accepted: false }])
    assert.deepEqual(refused, [])
  })
})

describe("a judgement", () => {
  it("accepts a pinned key without what the directory lists", () => {
    const listing = new Listing()
    const bob = listing.list("bob")
    listing.pin(listing.judge([bob.claim]))
    listing.devices.clear()
    const { verdicts, ...rest } = listing.judge([bob.claim])
    assert.deepEqual(verdicts, [{ claim: bob.claim, accepted: true }])
    assert.deepEqual(rest, { pins: [], keyChanges: [], refused: [] })
  })

  it("refuses a key that the directory does not list, a name that is none, and a certificate", () => {
    const listing = new Listing()
    const bob = listing.list("bob")
    listing.devices.clear()
    listing.list("carol")
    const claims: readonly CredentialClaim[] = [
      bob.claim,
      { ...bob.claim, credential: basic("Bob the Builder") },
      { ...bob.claim, credential: { type: "basic", identity: Uint8Array.of(0xff, 0xfe) } },
      { ...bob.claim, credential: { type: "x509", certificates: [] } },
      { ...bob.claim, credential: basic("carol") },
    ]
    const judgement = listing.judge(claims)
    assert.deepEqual(
      accepted(judgement),
      claims.map(() => false),
    )
    assert.deepEqual(
      judgement.refused.map(({ name, keyChanged }) => [name, keyChanged]),
      ["bob", "?", "?", "?", "carol"].map((name) => [name, false]),
    )
    assert.deepEqual(judgement.pins, [])
    assert.deepEqual(
      [...claimedKeys(claims)],
      [
        ["bob", [bob.claim.signatureKey]],
        ["carol", [bob.claim.signatureKey]],
      ],
    )
  })

  it("refuses another key of a pinned name with an alert", () => {
    const listing = new Listing()
    listing.pin(listing.judge([listing.list("bob").claim]))
    const { claim } = listing.list("bob")
    // Nobody speaks with this one: it is no news about somebody who is known.
    listing.list("bob")
    const judgement = listing.judge([claim])
    assert.deepEqual(accepted(judgement), [false])
    const change = { name: "bob", signatureKey: claim.signatureKey, endorsed: false, accepted: false }
    assert.deepEqual([judgement.keyChanges, judgement.pins], [[change], []])
  })

  it("accepts another key that a pinned key has endorsed with an alert, unless the policy is to ask", () => {
    for (const acceptEndorsed of [true, false]) {
      const listing = new Listing()
      const old = listing.list("bob")
      listing.pin(listing.judge([old.claim]))
      const { claim } = listing.list("bob", old)
      const judgement = listing.judge([claim], { acceptEndorsed })
      assert.deepEqual(accepted(judgement), [acceptEndorsed])
      const { signatureKey } = claim
      assert.deepEqual(judgement.keyChanges, [{ name: "bob", signatureKey, endorsed: true, accepted: acceptEndorsed }])
      assert.deepEqual(judgement.pins, acceptEndorsed ? [{ name: "bob", signatureKey }] : [])
    }
  })

  it("does not take an endorsement by a key that is not pinned, or of another name", () => {
    const listing = new Listing()
    listing.pin(listing.judge([listing.list("bob").claim]))
    const stranger = listing.list("mallory")
    assert.deepEqual(accepted(listing.judge([listing.list("bob", stranger).claim])), [false])
  })

  it("takes an endorsement only from the device that it names", () => {
    const listing = new Listing()
    const old = listing.list("bob")
    listing.pin(listing.judge([old.claim]))
    const { claim, device } = listing.list("bob", old)
    const misattributed = { ...device.endorsement!, deviceId: idOf(new Uint8Array(32)) }
    listing.devices.set("bob", [old.device, { ...device, endorsement: misattributed }])
    assert.deepEqual(accepted(listing.judge([claim])), [false])
  })

  it("gives the first three reasons for refusals in words, and how many more there are", () => {
    const refusals = (count: number) =>
      Array.from({ length: count }, (_, at) => ({ name: "bob", reason: `reason ${at}`, keyChanged: false }))
    assert.equal(refusalInWords({ refused: [] }), "")
    assert.equal(refusalInWords({ refused: refusals(3) }), "reason 0; reason 1; reason 2")
    assert.equal(refusalInWords({ refused: refusals(5) }), "reason 0; reason 1; reason 2; and 2 more")
  })
})

describe("the devices of a name", () => {
  const listing = new Listing()
  const bob = listing.list("bob")
  const phone = listing.list("bob", bob)
  const stranger = listing.list("bob", undefined, 5n)
  const devices = listing.devices.get("bob")!
  const shown = (pinned: readonly Uint8Array[]) =>
    judgeDevices(
      "bob",
      { pinned, devices },
      { verifyEndorsement: (claim) => isEndorsement(suite, claim), cipherSuite: 1 },
    ).map((it) => [it.pinned, it.known])

  it("are known from the root where none is pinned", () => {
    assert.deepEqual(shown([]), [
      [false, true],
      [false, true],
      [false, false],
    ])
  })

  it("are known from the pinned keys where there are any, and from the root no longer", () => {
    assert.deepEqual(shown([phone.device.signatureKey]), [
      [false, false],
      [true, true],
      [false, false],
    ])
    assert.deepEqual(shown([stranger.device.signatureKey]), [
      [false, false],
      [false, false],
      [true, true],
    ])
  })
})

describe("an endorsement", () => {
  const listing = new Listing()
  const bob = listing.list("bob")
  const { device } = listing.list("bob", bob)
  const claim = { name: "bob", device, endorser: bob.device.signatureKey }

  it("is one of this device, this name and this endorser", () => {
    assert.ok(isEndorsement(suite, claim))
    assert.ok(!isEndorsement(suite, { ...claim, name: "carol" }))
    assert.ok(!isEndorsement(suite, { ...claim, endorser: device.signatureKey }))
    assert.ok(!isEndorsement(suite, { ...claim, device: { ...device, cipherSuite: 3 } }))
    assert.ok(!isEndorsement(suite, { ...claim, device: { ...device, signatureKey: bob.device.signatureKey } }))
    assert.ok(!isEndorsement(suite, { ...claim, device: { ...device, endorsement: undefined } }))
  })

  it("is not verified with another key than that of the device that it names", () => {
    const endorsement = { ...device.endorsement!, deviceId: idOf(device.signatureKey) }
    assert.ok(!isEndorsement(suite, { ...claim, device: { ...device, endorsement } }))
  })
})

describe("pins", () => {
  const [one, two, three] = [Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(3)]

  it("stay the same array where a key is pinned already", () => {
    const pinned = [one, two]
    assert.equal(withPin(pinned, { signatureKey: Uint8Array.of(2) }), pinned)
    assert.equal(withPin(pinned, { signatureKey: two, root: three }), pinned)
  })

  it("end with a copy of a new key, which shares no memory with the caller's", () => {
    const pinned = [one]
    const buffer = Buffer.from([2])
    const after = withPin(pinned, { signatureKey: buffer })
    buffer.fill(9)
    assert.deepEqual(after, [one, two])
    assert.deepEqual(pinned, [one])
  })

  it("take the keys of a first contact only while nobody else has been met under the name", () => {
    assert.deepEqual(withPin([], { signatureKey: two, root: one }), [two])
    assert.deepEqual(withPin([one], { signatureKey: two, root: one }), [one, two])
    assert.equal(withPin([three], { signatureKey: two, root: one }), undefined)
  })

  it("do not let two judgements of the same moment pin two different people", () => {
    const listing = new Listing()
    const bob = listing.list("bob")
    const first = listing.judge([bob.claim])
    listing.devices.clear()
    const second = listing.judge([listing.list("bob").claim])
    assert.ok(listing.pin(first))
    assert.ok(!listing.pin(second))
    assert.deepEqual(listing.pinned.get("bob"), [bob.device.signatureKey])
  })
})

it("a basic credential has a name only where its identity is a well-formed one", () => {
  assert.equal(nameOf(basic("bob")), "bob")
  for (const text of ["", "bob ", "\ufeffbob", "b\u0000b"]) assert.equal(nameOf(basic(text)), undefined, text)
})
