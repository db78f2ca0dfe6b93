import assert from "node:assert/strict"
import { test } from "node:test"
import { type Codec, DecodeError, decode, encode, print } from "@conclave/codec"
import { nodeProvider } from "@conclave/crypto/node"
import { inspectableTypes, inspection } from "@conclave/mls/inspect"
import { createKeyPackage } from "../src/group/key-package.js"
import { registeredNumber } from "../src/inspect/numbers.js"
import { cipherSuite } from "../src/suite/suite.js"
import * as wire from "../src/wire.js"
import { assertFieldsOfRfc } from "./printed-fields.js"
import { messages } from "./vectors/messages.js"
import { load, officialVectors } from "./vectors/official.js"
import { bytes, hex } from "./vectors/vector.js"

const provider = nodeProvider()
const suite = cipherSuite(1, provider)
const now = 1_800_000_000n
const unlimited = 1_000_000

/** What is in each field of messages.json that is no MLSMessage. */
const types = {
  ratchet_tree: "ratchet_tree",
  group_secrets: "GroupSecrets",
  add_proposal: "Add",
  update_proposal: "Update",
  remove_proposal: "Remove",
  pre_shared_key_proposal: "PreSharedKey",
  re_init_proposal: "ReInit",
  external_init_proposal: "ExternalInit",
  group_context_extensions_proposal: "GroupContextExtensions",
  commit: "Commit",
}

function inspect(type: string, encoded: Uint8Array, options: { width?: number; full?: boolean } = {}): string[] {
  const codec = inspectableTypes[type]!
  const value = decode(codec, encoded)
  return [...print(codec, value, { ...inspection(type, value, { provider, now }), ...options })]
}

test(
  "every message of the official vectors prints, with the fields of RFC 9420 and nothing invalid",
  officialVectors,
  () => {
    const seen = new Set<string>()
    for (const vector of load("messages")) {
      const fields = [...Object.keys(messages).map((field) => [field, "MLSMessage"] as const), ...Object.entries(types)]
      for (const [field, type] of fields) {
        const encoded = bytes(vector[field])
        const value = decode(inspectableTypes[type]!, encoded)
        assert.equal(hex(encode(inspectableTypes[type]!, value)), vector[field])
        const lines = inspect(type, encoded, { width: unlimited })
        for (const struct of assertFieldsOfRfc(lines).structs) seen.add(struct)
        const valid = lines.filter((line) => /signature: |tree.*: valid|INVALID/.test(line))
        assert.deepEqual(
          valid.filter((line) => line.includes("INVALID")),
          [],
          field,
        )
        if (/group_info|key_package|ratchet_tree/.test(field)) assert(valid.length > 0, field)
      }
    }
    const expected = [
      ...["MLSMessage", "PublicMessage", "FramedContent", "FramedContentAuthData", "Sender", "Commit", "UpdatePath"],
      ...["ProposalOrRef", "PrivateMessage", "Welcome", "EncryptedGroupSecrets", "HPKECiphertext", "GroupInfo"],
      ...["GroupContext", "KeyPackage", "LeafNode", "Capabilities", "Credential", "Lifetime", "Extension", "Node"],
      ...["RequiredCapabilities", "ExternalPub", "GroupSecrets", "PreSharedKeyID", "ReInit", "ExternalInit"],
    ]
    assert.deepEqual(
      expected.filter((struct) => !seen.has(struct)),
      [],
    )
  },
)

test("in full, the bytes of a message can be read back from what is printed", officialVectors, () => {
  const encoded = bytes(load("messages")[0].private_message)
  const { wireFormat } = decode(wire.MLSMessage, encoded)
  assert(wireFormat.type === "mlsPrivateMessage")
  const printed = inspect("MLSMessage", encoded, { full: true }).join("").replace(/\s/g, "")
  assert(
    printed.includes(
      `opaqueciphertext<${wireFormat.privateMessage.ciphertext.length}>=${hex(wireFormat.privateMessage.ciphertext)};`,
    ),
  )
})

test("no line is wider than what was asked for, down to the deepest struct", officialVectors, () => {
  for (const width of [100, 120]) {
    for (const line of inspect("MLSMessage", bytes(load("messages")[0].mls_group_info), { width })) {
      // The name of a cipher suite, and a digest of 32 bytes, are as long as they are.
      if (!line.includes("//")) assert(line.length <= width, line)
    }
  }
})

test("the tree hash of a tree alone is that of the official vectors", officialVectors, () => {
  for (const vector of load("tree-validation").filter(({ cipher_suite }) => cipher_suite <= 3)) {
    const lines = inspect("ratchet_tree", bytes(vector.tree), { width: unlimited })
    assert.match(
      lines.at(-1)!,
      new RegExp(`^// tree hash \\(SHA-256\\): ${vector.tree_hashes[rootOf(vector.tree_hashes.length)]}$`),
    )
  }
})

test("GREASE, private and unknown numbers are marked, and registered ones named", () => {
  assert.deepEqual(registeredNumber("CipherSuite", 1), {
    text: "1",
    comment: "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519",
  })
  assert.deepEqual(registeredNumber("ExtensionType", 2), { text: "ratchet_tree(2)" })
  assert.deepEqual(registeredNumber("ProposalType", 0x2a2a), { text: "0x2a2a (GREASE)" })
  assert.deepEqual(registeredNumber("CredentialType", 0xeaea), { text: "0xeaea (GREASE)" })
  assert.deepEqual(registeredNumber("ExtensionType", 0xfafa), { text: "0xfafa (private use)" })
  assert.deepEqual(registeredNumber("ExtensionType", 0x2a3a), { text: "0x2a3a (unknown)" })
  assert.equal(registeredNumber("uint16", 2), undefined)
})

test("a changed signature, an expired lifetime and a malformed extension are said", () => {
  using key = suite.signature.generate(provider.random)
  const credential = { type: "basic", identity: new TextEncoder().encode("alice") } as const
  const lifetime = { notBefore: now - 20n, notAfter: now - 10n }
  const extensions = [{ extensionType: 3, extensionData: Uint8Array.of(9) }]
  const { keyPackage: message, ref } = createKeyPackage({ suite, signer: { key, credential }, lifetime, grease: true })
  const { wireFormat } = decode(wire.MLSMessage, message)
  assert(wireFormat.type === "mlsKeyPackage")
  const good = inspect("MLSMessage", message, { width: unlimited }).map((line) => line.trim())
  assert(good.includes(`// KeyPackageRef (SHA-256): ${hex(ref)}`))
  assert(good.includes("// signature: valid") && good.includes("// leaf signature: valid"))
  assert(good.includes("// expired 2027-01-15T07:59:50Z"))
  assert(good.some((line) => /^ExtensionType extensions<\d+> = \{ 0x(.)a\1a \(GREASE\) \};$/.test(line)))

  const { keyPackage } = wireFormat
  const leafNode = { ...keyPackage.leafNode, signature: keyPackage.leafNode.signature.slice().reverse() }
  const bad = inspect("KeyPackage", encode(wire.KeyPackage, { ...keyPackage, leafNode, extensions })).join("\n")
  assert.match(bad, /\/\/ leaf signature: INVALID/)
  assert.match(bad, /^\/\/ signature: INVALID$/m)
  assert.match(bad, /\/\/ extension_data is malformed/)
})

test("secrets are not shown", officialVectors, () => {
  const encoded = bytes(load("messages")[0].group_secrets)
  const { joinerSecret, pathSecret } = decode(wire.GroupSecrets, encoded)
  const printed = inspect("GroupSecrets", encoded, { full: true, width: unlimited }).join("\n")
  assert.match(printed, /opaque joiner_secret \(32 bytes, not shown\)/)
  assert(!printed.includes(hex(joinerSecret)) && !printed.includes(hex(pathSecret!.pathSecret)))
})

test("whatever decodes prints, however its keys, signatures and extensions were changed", officialVectors, () => {
  const [vector] = load("messages")
  const sources = ["mls_group_info", "mls_key_package", "public_message_commit"].map((field) => bytes(vector[field]))
  let printed = 0
  for (const source of sources) {
    for (let at = 0; at < source.length; at++) {
      const changed = source.slice()
      changed[at]! ^= 1 << (at % 8)
      let value: unknown
      try {
        value = decode(wire.MLSMessage, changed)
      } catch (error) {
        assert(error instanceof DecodeError)
        continue
      }
      const lines = [
        ...print(wire.MLSMessage, value as wire.MLSMessage, inspection("MLSMessage", value, { provider, now })),
      ]
      assert.equal(lines[0], "MLSMessage = {")
      printed++
    }
  }
  assert(printed > 500, `${printed} printed`)
})

test("every struct of the declarations that has a name of the RFC can be inspected", () => {
  const named = Object.entries(wire as Record<string, unknown>)
    .filter(([, it]) => (it as Codec<unknown>).definition?.startsWith("struct"))
    .map(([name]) => name)
  const missing = named.filter((name) => !(name in inspectableTypes)).sort()
  assert.deepEqual(missing, ["LeafPosition", "UnsignedLeafNode"])
})

/** RFC 9420 Appendix C, of a tree with so many nodes. */
function rootOf(nodeCount: number): number {
  return 2 ** Math.floor(Math.log2(nodeCount)) - 1
}
