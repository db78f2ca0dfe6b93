import assert from "node:assert/strict"
import { test } from "node:test"
import { type Codec, decode, encode, opaque, uint32 } from "@conclave/codec"
import { hkdfExpand } from "@conclave/crypto"
import { authenticatedContentTBM, signContent } from "../src/framing/content.js"
import { protectPrivate, signAndProtect } from "../src/framing/private-message.js"
import { leafIndex } from "../src/indexes.js"
import { confirmedTranscriptHash } from "../src/schedule/transcript.js"
import { expandWithLabel, treeSecretDeriver, verifyWithLabel } from "../src/suite/labels.js"
import { leafHash, parentHash, parentNodeHash } from "../src/tree/hashes.js"
import { isLeafSignatureValid, leafSignature, signLeafNode } from "../src/tree/leaf.js"
import {
  AuthenticatedContent,
  FramedContent,
  framedContentAuthData,
  KDFLabel,
  LeafNode,
  LeafPosition,
  MLSMessage,
  ParentHashInput,
  ParentNode,
  ProtocolVersion,
  PublicMessage,
  type Sender,
  TreeHashInput,
  UnsignedLeafNode,
  WireFormat,
} from "../src/wire.js"
import { secretTree } from "./vectors/secret-tree.js"
import { everySuite } from "./vectors/suites.js"
import { bytes, hex, none } from "./vectors/vector.js"

/*
 * A few encodings are written by hand, because they are made for every message or depend on what is around them. Here
 * they are held against the declared structs of which RFC 9420 composes them.
 */

const suite = everySuite(1)
const key = suite.signature.importKey(new Uint8Array(32).fill(7))
const context = bytes("00".repeat(100))
const tag = new Uint8Array(32).fill(9)
const signature = new Uint8Array(64).fill(8)

const concat = (...parts: readonly Uint8Array[]) => new Uint8Array(Buffer.concat(parts))

const unsignedLeaf = (leafNodeSource: UnsignedLeafNode["leafNodeSource"]): UnsignedLeafNode => ({
  encryptionKey: new Uint8Array(32).fill(1),
  signatureKey: key.publicKey,
  credential: { type: "basic", identity: bytes("616c696365") },
  capabilities: { versions: [1], cipherSuites: [1], extensions: [], proposals: [], credentials: [1] },
  leafNodeSource,
  extensions: [],
})
const leaf = signLeafNode(unsignedLeaf({ type: "update" }), key, { groupId: none, leafIndex: leafIndex(0) })

const senders: readonly Sender[] = [
  { type: "member", leafIndex: leafIndex(3) },
  { type: "external", senderIndex: 1 },
  { type: "newMemberProposal" },
  { type: "newMemberCommit" },
]
const bodies = [
  { type: "application", applicationData: bytes("01020304") },
  { type: "proposal", proposal: { type: "remove", removed: leafIndex(2) } },
  { type: "commit", commit: { proposals: [], path: undefined } },
] as const satisfies readonly FramedContent["contentType"][]

const contentOf = (sender: Sender, contentType: FramedContent["contentType"]): FramedContent => ({
  groupId: bytes("aabb"),
  epoch: 5n,
  sender,
  authenticatedData: bytes("cc"),
  contentType,
})

const label = new TextEncoder().encode("MLS 1.0 test")
for (const contextSize of [0, 1, 63, 64, 16383, 16384]) {
  test(`KDFLabel with a context of ${contextSize} bytes is encoded as declared`, () => {
    const labelContext = new Uint8Array(contextSize).fill(5)
    for (const length of [0, 1, 16, 300]) {
      const info = encode(KDFLabel, { length, label, context: labelContext })
      const expected = hkdfExpand(suite.hash, tag, info, length)
      assert.equal(hex(expandWithLabel(suite, tag, "test", labelContext, length)), hex(expected))
    }
  })
}

test("DeriveTreeSecret is ExpandWithLabel with the generation as its context, as often as it is asked", () => {
  for (const length of [12, suite.secretSize]) {
    const derive = treeSecretDeriver(suite, "test", length)
    for (const generation of [0, 1, 0x0102_0304, 0xffff_ffff, 1]) {
      const info = encode(KDFLabel, { length, label, context: encode(uint32, generation) })
      assert.equal(hex(derive(tag, generation)), hex(hkdfExpand(suite.hash, tag, info, length)))
    }
  }
})

test("a leaf's tree hash is that of its TreeHashInput, filled or blank", () => {
  for (const leafNode of [leaf, undefined]) {
    const input = { type: "leaf", leafNode: { leafIndex: 0x01020304, leafNode } } as const
    const expected = suite.hash.digest(encode(TreeHashInput, input))
    assert.equal(hex(leafHash(suite, leafIndex(0x01020304), leafNode && LeafNode.bytesOf(leafNode))), hex(expected))
  }
})

test("a parent's tree hash is that of its TreeHashInput, filled or blank", () => {
  const filled: ParentNode = { encryptionKey: tag, parentHash: tag, unmergedLeaves: [leafIndex(4), leafIndex(70000)] }
  for (const parentNode of [filled, undefined]) {
    const input = { type: "parent", parentNode: { parentNode, leftHash: tag, rightHash: none } } as const
    const expected = suite.hash.digest(encode(TreeHashInput, input))
    assert.equal(hex(parentNodeHash(suite, parentNode && encode(ParentNode, parentNode), tag, none)), hex(expected))
  }
})

test("a parent hash is that of its ParentHashInput, whatever the lengths", () => {
  for (const [keySize, siblingSize] of [
    [32, 32],
    [97, 48],
    [133, 64],
    [0, 0],
    [64, 63],
  ]) {
    const encryptionKey = new Uint8Array(keySize!).fill(7)
    const originalSiblingTreeHash = new Uint8Array(siblingSize!).fill(8)
    for (const above of [none, tag]) {
      const parent: ParentNode = { encryptionKey, parentHash: above, unmergedLeaves: [leafIndex(1)] }
      const input = { encryptionKey, parentHash: above, originalSiblingTreeHash }
      const expected = suite.hash.digest(encode(ParentHashInput, input))
      assert.equal(hex(parentHash(suite, parent, originalSiblingTreeHash)), hex(expected))
    }
  }
})

test("a leaf node signs itself, and its place where it was made for a group", () => {
  const position = { groupId: bytes("aabb"), leafIndex: leafIndex(9) }
  const sources = [
    { type: "keyPackage", lifetime: { notBefore: 1n, notAfter: 2n } },
    { type: "update" },
    { type: "commit", parentHash: tag },
  ] as const
  for (const source of sources) {
    const unsigned = unsignedLeaf(source)
    const placed = source.type === "keyPackage" ? none : encode(LeafPosition, position)
    const signed = signLeafNode(unsigned, key, source.type === "keyPackage" ? undefined : position)
    assert.deepEqual(leafSignature(signed, position).content, concat(encode(UnsignedLeafNode, unsigned), placed))
    assert(isLeafSignatureValid(suite, signed, position))
    const elsewhere = { ...position, leafIndex: leafIndex(8) }
    assert.equal(isLeafSignatureValid(suite, signed, elsewhere), source.type === "keyPackage")
    assert.deepEqual(encode(LeafNode, signed).subarray(0, -66), encode(UnsignedLeafNode, unsigned))
  }
})

test("a PrivateMessage is written as it is declared, whether it is signed before or meanwhile", () => {
  for (const [length, paddingSize] of [
    [0, 0],
    [1, 0],
    [63, 1],
    [64, 0],
    [1024, 40],
    [16384, 0],
    [70_000, 3],
  ] as const) {
    for (const authenticatedData of [none, new Uint8Array(100).fill(4)]) {
      const applicationData = new Uint8Array(length).fill(5)
      const body = { type: "application", applicationData } as const
      const content = { ...contentOf({ type: "member", leafIndex: leafIndex(1) }, body), authenticatedData }
      const options = () => ({
        keys: {
          senderData: tag,
          secretTree: secretTree(suite, { encryption_secret: "11".repeat(32), leaves: { length: 2 } }),
        },
        paddingSize,
        random: (size: number) => new Uint8Array(size).fill(6),
      })
      const auth = { signature: signContent({ wireFormat: "mlsPrivateMessage", content, context }, key) }
      const message = protectPrivate(suite, content, auth, options())
      assert.deepEqual(signAndProtect(suite, { content, context }, key, options()), message)
      const decoded = decode(MLSMessage, message)
      assert.deepEqual(encode(MLSMessage, decoded), message)
      assert(decoded.wireFormat.type === "mlsPrivateMessage")
      const { ciphertext, encryptedSenderData } = decoded.wireFormat.privateMessage
      const prefix = length < 64 ? 1 : length < 16384 ? 2 : 4
      assert.equal(ciphertext.length, prefix + length + 66 + paddingSize + 16)
      assert.equal(encryptedSenderData.length, 28)
    }
  }
})

for (const sender of senders) {
  for (const body of bodies) {
    test(`${body.type} by ${sender.type} is signed and tagged as RFC 9420 §6.1 and §6.2 compose it`, () => {
      const content = contentOf(sender, body)
      const inGroup = sender.type === "member" || sender.type === "newMemberCommit"
      const toBeSigned = concat(
        encode(ProtocolVersion, "mls10"),
        encode(WireFormat, "mlsPublicMessage"),
        encode(FramedContent, content),
        inGroup ? context : none,
      )
      const toSign = { wireFormat: "mlsPublicMessage", content, context } as const
      const signed = { publicKey: key.publicKey, label: "FramedContentTBS", content: toBeSigned }
      assert(verifyWithLabel(suite, { ...signed, signature: signContent(toSign, key) }))

      const auth = body.type === "commit" ? { signature, confirmationTag: tag } : { signature }
      const toBeTagged = concat(toBeSigned, encode(framedContentAuthData(body.type), auth))
      assert.deepEqual(authenticatedContentTBM(toSign, auth), toBeTagged)
    })

    test(`${body.type} by ${sender.type} has the tags that RFC 9420 gives it, and no others`, () => {
      const content = contentOf(sender, body)
      const confirmed = body.type === "commit" ? encode(opaque, tag) : none
      const auth = body.type === "commit" ? { signature, confirmationTag: tag } : { signature }
      const authBytes = concat(encode(opaque, signature), confirmed)
      assert.deepEqual(encode(framedContentAuthData(body.type), auth), authBytes)

      const membership = sender.type === "member" ? { membershipTag: tag } : {}
      const tagged = sender.type === "member" ? encode(opaque, tag) : none
      const publicMessage = { content, auth, ...membership }
      const encoded = concat(encode(FramedContent, content), authBytes, tagged)
      assert.deepEqual(encode(PublicMessage, publicMessage), encoded)
      const message = { version: "mls10", wireFormat: { type: "mlsPublicMessage", publicMessage } } as const
      assert.deepEqual(encode(MLSMessage, message), concat(bytes("00010001"), encoded))

      for (const wireFormat of ["mlsPublicMessage", "mlsPrivateMessage"] as const) {
        const authenticated = { wireFormat, content, auth }
        const framed = concat(encode(WireFormat, wireFormat), encode(FramedContent, content), authBytes)
        assert.deepEqual(encode(AuthenticatedContent as Codec<unknown>, authenticated), framed)
        assert.deepEqual(decode(AuthenticatedContent, framed), authenticated)
      }
      const unframed = concat(encode(WireFormat, "mlsWelcome"), encode(FramedContent, content), authBytes)
      assert.throws(() => decode(AuthenticatedContent, unframed), { name: "DecodeError" })
    })
  }
}

test("the confirmed transcript hash takes in wire format, content and signature", () => {
  const content = contentOf(senders[0]!, bodies[2]!)
  const input = concat(
    encode(WireFormat, "mlsPrivateMessage"),
    encode(FramedContent, content),
    encode(opaque, signature),
  )
  const hash = confirmedTranscriptHash(suite, tag, { wireFormat: "mlsPrivateMessage", content, signature })
  assert.equal(hex(hash), hex(suite.hash.digest(tag, input)))
})
