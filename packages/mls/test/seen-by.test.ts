import assert from "node:assert/strict"
import { test } from "node:test"
import { DecodeError, Group, type Proposal, RuleError, type SeenBy, StateError, seenBy } from "@conclave/mls"
import { person, provider, utf8 } from "./group-fixture.js"
import { leaf } from "./rules/insider.js"
import { flipped } from "./rules/leaves.js"
import { addOf, newcomer, type Scene, scene } from "./rules/scene.js"

interface Kind {
  readonly expected: SeenBy
  /** Rule, code, or name of the error. */
  readonly error: string
  readonly message: (set: Scene) => Uint8Array
}

const psk: Proposal = {
  type: "psk",
  psk: { psktype: { type: "external", pskId: utf8("unknown") }, pskNonce: provider.random(32) },
}
const fromBob = { sender: { type: "member", leafIndex: leaf(1) } } as const
const unknown = { proposal: { type: "remove", removed: leaf(1) }, ref: provider.random(32), ...fromBob } as const
/** Every path secret is spoilt, so that none opens. */
const spoilt: Parameters<Scene["mallory"]["commit"]>[0] = {
  nodes: (right) =>
    right.map((node) => ({
      ...node,
      encryptedPathSecret: node.encryptedPathSecret.map((it) => ({ ...it, ciphertext: flipped(it.ciphertext) })),
    })),
}

const kinds: Readonly<Record<string, Kind>> = {
  "what cannot be decoded": {
    expected: "everybody",
    error: "DecodeError",
    message: ({ mallory }) => mallory.commit().message.subarray(0, -1),
  },
  "a group of another name": {
    expected: "everybody",
    error: "framing-group",
    message: ({ mallory }) => mallory.commit({ content: { groupId: utf8("another") } }).message,
  },
  "a signature": {
    expected: "everybody",
    error: "AuthenticityError",
    message: ({ mallory }) => mallory.commit({ signature: flipped }).message,
  },
  "a ciphertext that no key opens": {
    expected: "everybody",
    error: "AuthenticityError",
    message: ({ mallory }) => mallory.claim(leaf(2), 0, "commit"),
  },
  "a generation that is too far ahead": {
    expected: "everybody",
    error: "GENERATION_SPENT",
    message: ({ mallory }) => mallory.claim(leaf(2), 100_000, "commit"),
  },
  "a sender that is nobody": {
    expected: "everybody",
    error: "framing-sender-member",
    message: ({ mallory }) => mallory.claim(leaf(9), 0, "commit"),
  },
  "a list of proposals": {
    expected: "everybody",
    error: "list-remove-of-committer",
    message: ({ mallory }) => mallory.commit({ proposals: [{ type: "remove", removed: leaf(2) }] }).message,
  },
  "a proposal that was never sent": {
    expected: "everybody",
    error: "list-proposal-known",
    message: ({ mallory }) => mallory.commit({ proposals: [unknown] }).message,
  },
  "a leaf node's signature": {
    expected: "everybody",
    error: "leaf-signature",
    message: ({ mallory }) => mallory.commit({ leafSignature: flipped }).message,
  },
  "a key package": {
    expected: "everybody",
    error: "key-package-suite",
    message: ({ mallory }) =>
      mallory.commit({ proposals: [addOf({ ...newcomer().keyPackage, cipherSuite: 2 })] }).message,
  },
  "a path without one of its keys": {
    expected: "everybody",
    error: "path-length",
    message: ({ mallory }) => mallory.commit({ nodes: (it) => it.slice(1) }).message,
  },
  "a parent hash": {
    expected: "everybody",
    error: "path-parent-hash",
    message: ({ mallory }) =>
      mallory.commit({
        leaf: (it) => ({ ...it, leafNodeSource: { type: "commit", parentHash: provider.random(32) } }),
      }).message,
  },
  "an external Commit's init secret": {
    expected: "everybody",
    error: "external-init-decapsulates",
    message: ({ mallory }) => mallory.commit({ joins: person("eve"), kemOutput: () => new Uint8Array(32) }).message,
  },
  "an epoch that is still to come": {
    expected: "everybody",
    error: "WRONG_EPOCH",
    message: ({ mallory }) => mallory.commit({ content: { epoch: 77n } }).message,
  },
  "a path secret that does not open": {
    expected: "self",
    error: "path-secret-decrypts",
    message: ({ mallory }) => mallory.commit(spoilt).message,
  },
  "a path secret that does not lead to the path's keys": {
    expected: "self",
    error: "path-keys-derived",
    message: ({ mallory }) =>
      mallory.commit({
        publicKeys: (right) => right.map(() => mallory.suite.hpke.deriveKeyPair(provider.random(32)).publicKey),
      }).message,
  },
  "a confirmation tag": {
    expected: "self",
    error: "commit-confirmation-tag",
    message: ({ mallory }) => mallory.commit({ confirmationTag: flipped }).message,
  },
  "a pre-shared key that we do not have": {
    expected: "self",
    error: "psk-known",
    message: ({ mallory }) => mallory.commit({ proposals: [psk] }).message,
  },
  "a commit of ours that an older state has not sent": {
    expected: "self",
    error: "STATE_ROLLED_BACK",
    message: ({ alice, people }) =>
      Group.restore({ ...people[0].options, records: new Map(alice.records()) }).commit().message,
  },
}

for (const [what, { expected, error, message }] of Object.entries(kinds)) {
  test(`${expected === "self" ? "this member alone may see" : "everybody sees"} what is wrong with ${what}`, () => {
    const set = scene()
    const refusal = refusalOf(set, message(set))
    assert.equal(named(refusal), error)
    assert.equal(seenBy(refusal), expected)
  })
}

/** What perhaps one member sees, and what everybody does: that is said first, or they would fall out. */
const twice: Readonly<Record<string, Parameters<Scene["mallory"]["commit"]>[0]>> = {
  "leaf-signature": { ...spoilt, leafSignature: flipped },
  "external-init-decapsulates": { ...spoilt, joins: person("eve"), kemOutput: () => new Uint8Array(32) },
  "extensions-distinct": {
    ...spoilt,
    proposals: [
      {
        type: "groupContextExtensions",
        extensions: [9, 9].map((it) => ({ extensionType: it, extensionData: utf8("") })),
      },
    ],
  },
}

for (const [rule, forgery] of Object.entries(twice)) {
  test(`${rule} is seen by all, also by a member for whom something else is wrong`, () => {
    const set = scene()
    const { message } = set.mallory.commit(forgery)
    assert.equal(named(refusalOf(set, message)), rule)
  })
}

test("a removed member sees what all see of the Commit that removes it", () => {
  const set = scene()
  const proposals: Proposal[] = [{ type: "remove", removed: leaf(0) }]
  const { message } = set.mallory.commit({ joins: person("eve"), proposals, kemOutput: () => new Uint8Array(32) })
  assert.equal(named(refusalOf(set, message)), "external-init-decapsulates")
})

test("what is no error of a known class is a fault of this member's own", () => {
  assert.equal(seenBy(new TypeError("a bug")), "self")
  assert.equal(seenBy(new RangeError("Maximum call stack size exceeded")), "self")
  assert.equal(seenBy(undefined), "self")
  assert.equal(seenBy(new DecodeError("trailing bytes", 3)), "everybody")
})

function refusalOf({ alice }: Scene, message: Uint8Array): Error {
  try {
    alice.receive(message)
  } catch (error) {
    return error as Error
  }
  assert.fail("the message was understood")
}

/** Of a rule its id, of a state its code. */
function named(error: Error): string {
  if (error instanceof RuleError) return error.rule
  return error instanceof StateError ? error.code : error.name
}
