import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { DecodeError, decode, encode, type TypeOf } from "@conclave/codec"
import {
  AuthenticityError,
  decodeGroupInfo,
  decodeKeyPackage,
  Group,
  MLSMessage,
  RuleError,
  StateError,
  validateKeyPackage,
} from "@conclave/mls"
import { follow, keyPackageOf, person, provider, text, utf8 } from "./group-fixture.js"
import { ForgedGroup, forgeKeyPackage } from "./rules/forged-group.js"
import { leaf } from "./rules/insider.js"
import { addOf, breaks, refuses, scene, stored, understands } from "./rules/scene.js"

/* What other implementations are known to have let through, or to have stumbled over: hostile bytes. */

const random = (length: number) => new Uint8Array(provider.random(length))

/** A tag cut off entirely, one byte short, one byte long. */
const wrongLengths: readonly (readonly [string, (right: Uint8Array) => Uint8Array])[] = [
  ["of no bytes", () => new Uint8Array(0)],
  ["a byte short", (right) => right.subarray(0, -1)],
  ["a byte long", (right) => new Uint8Array([...right, 0])],
]

/** Alice does not take the message for authentic, is unchanged, and understands the next one. */
function distrusts({ alice, bob }: { readonly alice: Group; readonly bob: Group }, message: Uint8Array): void {
  const before = stored(alice)
  assert.throws(() => alice.receive(message), AuthenticityError)
  assert.deepEqual(stored(alice), before)
  understands(alice, bob)
}

function privateMessage(message: Uint8Array) {
  const { wireFormat } = decode(MLSMessage, message)
  assert(wireFormat.type === "mlsPrivateMessage")
  return wireFormat.privateMessage
}

describe("tags of the wrong length", () => {
  for (const [what, cut] of wrongLengths) {
    test(`a membership tag ${what}`, () => {
      const set = scene()
      distrusts(set, set.mallory.propose({ type: "remove", removed: leaf(1) }, { membershipTag: cut }))
    })
    test(`a confirmation tag ${what}`, () => {
      const set = scene()
      refuses(set, set.mallory.commit({ confirmationTag: cut }).message, "commit-confirmation-tag")
    })
    test(`the confirmation tag of a GroupInfo ${what}`, () => {
      const who = person("eve")
      const bundle = keyPackageOf(who)
      const group = new ForgedGroup(["ann", "eve"], { joiner: { index: 1, who, bundle } }).commitAs(0)
      const welcome = group.welcome(bundle, 1, {
        groupInfo: (it) => ({ ...it, confirmationTag: cut(it.confirmationTag) }),
      })
      breaks("group-info-confirmation-tag", () => Group.stageJoin({ ...who.options, welcome, keyPackages: [bundle] }))
    })
    test(`the signature of a message ${what}`, () => {
      const set = scene()
      distrusts(set, set.mallory.propose({ type: "remove", removed: leaf(1) }, { signature: cut }))
    })
    test(`the signature of a leaf node ${what}`, () => {
      const set = scene()
      refuses(set, set.mallory.commit({ leafSignature: cut }).message, "leaf-signature")
    })
    test(`the signature of a key package ${what}`, () => {
      const { keyPackage } = forgeKeyPackage(person("eve"))
      const wrong = { ...keyPackage, signature: cut(keyPackage.signature) }
      breaks("key-package-signature", () => validateKeyPackage(person("eve").options.suite, wrong))
    })
    test(`a ciphertext and its tag ${what}`, () => {
      const { alice, bob } = scene()
      alice.receive(bob.encrypt(utf8("so that Alice has Bob's ratchet")))
      const right = privateMessage(bob.encrypt(utf8("hello")))
      const tagless = right.ciphertext.subarray(0, -16)
      const tag = right.ciphertext.subarray(-16)
      for (const change of [
        { ciphertext: new Uint8Array([...tagless, ...cut(tag)]) },
        { ciphertext: new Uint8Array(0) },
        { encryptedSenderData: cut(right.encryptedSenderData) },
        { encryptedSenderData: new Uint8Array([...right.encryptedSenderData.subarray(0, -16), ...cut(tag)]) },
      ]) {
        const before = stored(alice)
        assert.throws(() => alice.receive(seal({ ...right, ...change })), AuthenticityError)
        assert.deepEqual(stored(alice), before)
      }
      const received = alice.receive(seal(right))
      assert(received.type === "application")
      assert.equal(text(received.plaintext), "hello")
    })
  }
})

type PrivateMessage = Extract<TypeOf<typeof MLSMessage>["wireFormat"], { type: "mlsPrivateMessage" }>["privateMessage"]

function seal(privateMessage: PrivateMessage): Uint8Array {
  return encode(MLSMessage, { version: "mls10", wireFormat: { type: "mlsPrivateMessage", privateMessage } })
}

describe("lengths on either side of a longer header", () => {
  for (const size of [0, 63, 64, 16383, 16384]) {
    test(`application data and authenticated data of ${size} bytes`, () => {
      const { alice, bob } = scene({ policy: { paddingBlockSize: 1 } })
      const plaintext = random(size)
      const message = bob.encrypt(plaintext, { authenticatedData: plaintext })
      const received = alice.receive(message)
      assert(received.type === "application")
      assert.deepEqual(received.plaintext, plaintext)
      assert.deepEqual(received.authenticatedData, plaintext)
    })
    test(`a group id of ${Math.max(size, 1)} bytes`, () => {
      const who = person("ann")
      // A group without a name is none: group-id-length.
      const group = Group.create({ ...who.options, groupId: random(Math.max(size, 1)) })
      const bundle = keyPackageOf(person("ben"))
      const commit = group.commit({ add: [bundle.keyPackage] })
      assert.equal(follow(group, commit.message).type, "commit")
      assert.equal(group.id.length, Math.max(size, 1))
    })
  }
  test("a length of 2³⁰−1 in a message of a few bytes is refused before anything is allocated", () => {
    const { alice, bob } = scene()
    // MLSMessage with a PublicMessage whose group id says it has 2³⁰−1 bytes.
    const message = new Uint8Array([0, 1, 0, 1, 0xbf, 0xff, 0xff, 0xff, 1, 2, 3])
    const before = process.memoryUsage().arrayBuffers
    assert.throws(() => alice.receive(message), DecodeError)
    assert(process.memoryUsage().arrayBuffers - before < 1 << 20)
    understands(alice, bob)
  })
  test("a length that takes more bytes than it needs, or that starts with 11", () => {
    const { alice } = scene()
    for (const header of [
      [0x40, 32],
      [0x80, 0, 0, 32],
      [0xc0, 0, 0, 0, 0, 0, 0, 32],
    ]) {
      assert.throws(() => alice.receive(new Uint8Array([0, 1, 0, 1, ...header, ...alice.id])), DecodeError)
    }
  })
})

/** Points of X25519 that every key sends to zero: of order 1, 2, 4 and 8, and their spellings above the prime. */
const lowOrder = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
].map((hex) => new Uint8Array(Buffer.from(hex, "hex")))

describe("points of low order", () => {
  for (const [i, point] of lowOrder.entries()) {
    test(`point ${i}, wherever a public key stands`, () => {
      const { alice, mallory } = scene()
      const before = stored(alice)
      const inLeaf = forgeKeyPackage(person("eve"), { leaf: (it) => ({ ...it, encryptionKey: point }) }).keyPackage
      const asInit = forgeKeyPackage(person("eve"), { keyPackage: (it) => ({ ...it, initKey: point }) }).keyPackage
      for (const message of [
        mallory.propose(addOf(inLeaf)),
        mallory.propose(addOf(asInit)),
        mallory.commit({ leaf: (it) => ({ ...it, encryptionKey: point }) }).message,
        mallory.commit({ publicKeys: (it) => it.map((key, step) => (step === 0 ? point : key)) }).message,
      ]) {
        breaks("key-encryption-valid", () => alice.receive(message))
      }
      const joining = mallory.commit({ joins: person("eve"), kemOutput: () => point }).message
      breaks("external-init-decapsulates", () => alice.receive(joining))
      const toAlice = mallory.commit({
        nodes: (it) =>
          it.map((node) => ({
            ...node,
            encryptedPathSecret: node.encryptedPathSecret.map((sealed) => ({ ...sealed, kemOutput: point })),
          })),
      })
      breaks("path-secret-decrypts", () => alice.receive(toAlice.message))
      assert.deepEqual(stored(alice), before)
      const group = new ForgedGroup(["ann", "ben"]).commitAs(0)
      const groupInfo = group.groupInfo({ externalPub: point })
      breaks("key-encryption-valid", () => Group.stageExternalJoin({ ...person("eve").options, groupInfo }))
    })
  }
})

describe("versions that nobody speaks", () => {
  const versions = [0, 2, 0xffff]
  const with16 = (bytes: Uint8Array, at: number, value: number) => {
    const changed = bytes.slice()
    new DataView(changed.buffer).setUint16(at, value)
    return changed
  }
  for (const version of versions) {
    test(`MLSMessage, version ${version}`, () => {
      const { alice, bob } = scene()
      const { message } = bob.propose({ type: "update" })
      assert.throws(() => alice.receive(with16(message, 0, version)), DecodeError)
      assert.equal(alice.receive(message).type, "proposal")
    })
    test(`KeyPackage in an MLSMessage and in an Add, version ${version}`, () => {
      const { alice, mallory } = scene()
      const { message, keyPackage } = forgeKeyPackage(person("eve"))
      assert.throws(() => decodeKeyPackage(with16(message, 4, version)), DecodeError)
      assert.throws(() => alice.commit({ add: [with16(message, 4, version)] }), DecodeError)
      const proposal = mallory.propose(addOf(keyPackage))
      const at = Buffer.from(proposal).indexOf(message.subarray(4, 40))
      assert(at > 0)
      assert.throws(() => alice.receive(with16(proposal, at, version)), DecodeError)
    })
    test(`GroupContext of a GroupInfo, version ${version}`, () => {
      const message = new ForgedGroup(["ann"]).groupInfo()
      assert.throws(() => decodeGroupInfo(with16(message, 4, version)), DecodeError)
    })
  }
  test("a ReInit may name a newer version, not an older one", () => {
    const { alice, mallory } = scene()
    const reinit = { type: "reinit", groupId: utf8("next"), cipherSuite: 1, extensions: [] } as const
    assert.equal(alice.receive(mallory.propose({ ...reinit, version: 2 })).type, "proposal")
    breaks("proposal-reinit-version", () => alice.receive(mallory.propose({ ...reinit, version: 0 })))
  })
})

test("a message of another kind is not taken for a Welcome, a GroupInfo, a key package or a message of the group", () => {
  const { alice, bob } = scene()
  const { options } = person("eve")
  const bundle = keyPackageOf(person("eve"))
  const groupInfo = alice.groupInfo({ withExternalPub: true, withRatchetTree: true })
  assert.throws(() => Group.stageJoin({ ...options, welcome: groupInfo, keyPackages: [bundle] }), DecodeError)
  assert.throws(() => Group.stageExternalJoin({ ...options, groupInfo: bundle.keyPackage }), DecodeError)
  assert.throws(() => decodeGroupInfo(bundle.keyPackage), DecodeError)
  assert.throws(() => decodeKeyPackage(groupInfo), DecodeError)
  assert.throws(() => alice.commit({ add: [groupInfo] }), DecodeError)
  for (const message of [groupInfo, bundle.keyPackage]) {
    assert.throws(() => alice.receive(message), { code: "UNSUPPORTED" })
  }
  understands(alice, bob)
})

test("leaf indexes at the edges of 32-bit numbers are only numbers that nobody has", () => {
  const { alice, bob, mallory } = scene()
  const before = stored(alice)
  for (const index of [3, 4, 2 ** 28, 2 ** 29, 2 ** 30, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1].map(leaf)) {
    breaks("framing-sender-member", () => alice.receive(mallory.strayPrivate(index, 0)))
    breaks("proposal-remove-member", () => alice.receive(mallory.propose({ type: "remove", removed: index })))
    breaks("proposal-remove-member", () => alice.commit({ remove: [index] }))
    assert.equal(alice.member(index), undefined)
  }
  assert.deepEqual(stored(alice), before)
  understands(alice, bob)
})

test("a generation of 0xffffffff is refused at once and moves no ratchet", () => {
  const { alice, bob, mallory } = scene()
  alice.receive(bob.encrypt(utf8("so that Alice has Bob's ratchet")))
  const before = stored(alice)
  const started = performance.now()
  for (const generation of [0xffff_ffff, 0x8000_0000, 0x7fff_ffff, 1002]) {
    assert.throws(() => alice.receive(mallory.strayPrivate(leaf(1), generation)), { code: "GENERATION_SPENT" })
  }
  assert(performance.now() - started < 200)
  assert.deepEqual(stored(alice), before)
  assert.equal(alice.receive(bob.encrypt(utf8("next"))).type, "application")
})

test("a forged ciphertext destroys no key, far ahead or near: the real message is read after it", () => {
  const { alice, bob, mallory } = scene()
  const messages = Array.from({ length: 4 }, (_, i) => bob.encrypt(utf8(`message ${i}`)))
  for (const generation of [0, 3, 900]) {
    assert.throws(() => alice.receive(mallory.strayPrivate(leaf(1), generation)), AuthenticityError)
  }
  for (const [i, message] of messages.entries()) {
    const received = alice.receive(message)
    assert(received.type === "application")
    assert.equal(text(received.plaintext), `message ${i}`)
  }
})

test("a duplicate of a message is refused, and the ratchet goes on", () => {
  const { alice, bob } = scene()
  const first = bob.encrypt(utf8("first"))
  const second = bob.encrypt(utf8("second"))
  for (const message of [second, first]) {
    assert.equal(alice.receive(message).type, "application")
    const before = stored(alice)
    for (let i = 0; i < 3; i++) assert.throws(() => alice.receive(message), { code: "GENERATION_SPENT" })
    assert.deepEqual(stored(alice), before)
  }
  assert.equal(alice.receive(bob.encrypt(utf8("third"))).type, "application")
})

test("padding that is not zero makes a message malformed, though it is authentic", () => {
  const set = scene()
  const before = stored(set.alice)
  const message = set.mallory.sendPadded({ type: "application", applicationData: utf8("padded") }, [0, 0, 1, 0])
  assert.throws(() => set.alice.receive(message), DecodeError)
  assert.equal(
    stored(set.alice).filter(([key]) => !key.startsWith("e/")).length,
    before.filter(([key]) => !key.startsWith("e/")).length,
  )
  const right = set.mallory.sendPadded({ type: "application", applicationData: utf8("padded") }, [0, 0, 0, 0])
  assert.equal(set.alice.receive(right).type, "application")
})

test("whatever is refused is refused by a typed error", () => {
  const { alice, bob, mallory } = scene()
  const messages = [
    mallory.propose({ type: "remove", removed: leaf(1) }),
    mallory.commit().message,
    bob.encrypt(utf8("hello")),
    alice.groupInfo({ withRatchetTree: true }),
    keyPackageOf(person("eve")).keyPackage,
  ]
  let refused = 0
  for (const message of messages) {
    for (let at = 0; at < message.length; at += 3) {
      const changed = message.slice()
      changed[at]! ^= 1 << (at % 8)
      try {
        const received = alice.receive(changed)
        // Epochs that are over are expected; nothing else is understood.
        assert.equal(received.type, "ignored")
      } catch (error) {
        refused++
        const typed = [DecodeError, RuleError, AuthenticityError, StateError].some((it) => error instanceof it)
        assert(typed || (error as { code?: string }).code === "UNSUPPORTED", (error as Error).stack)
      }
    }
  }
  assert(refused > 300)
  understands(alice, bob)
})
