import { encode } from "@conclave/codec"
import {
  type Capabilities,
  decodeKeyPackage,
  type KeyPackage,
  type LeafNode,
  leafIndex,
  MLSMessage,
} from "@conclave/mls"
import { type Node, RatchetTreeNodes } from "@conclave/mls/wire"
import { Unable } from "./neighbour.js"

/*
 * openmls-wasm 0.1.0 hands key packages and trees from one call to the next as objects and has no bytes for them, so by
 * its interface alone it talks to nobody but itself. What it keeps, it keeps as JSON in the memory of the WebAssembly
 * instance, where we find it: nothing of OpenMLS runs differently for it.
 */

/** MLSMessages with every KeyPackage whose private keys are kept. */
export function storedKeyPackages(memory: Uint8Array): Uint8Array[] {
  return objectsAt<{ key_package: JsonKeyPackage }>(memory, '{"key_package":{"payload":').map(({ key_package: it }) =>
    keyPackageMessage(it),
  )
}

/** The value of a `ratchet_tree` extension for every group that is kept, the latest last. */
export function storedTrees(memory: Uint8Array): { readonly leaves: readonly LeafNode[]; readonly tree: Uint8Array }[] {
  return objectsAt<JsonTree>(memory, '{"tree":{"leaf_nodes":').map(({ tree }) => {
    const leaves = tree.leaf_nodes.map(({ node }) => (node ? leafNode(node) : undefined))
    const nodes: (Node | undefined)[] = []
    for (const [i, leaf] of leaves.entries()) {
      nodes.push(leaf && { type: "leaf", leafNode: leaf })
      const parent = tree.parent_nodes[i]?.node
      if (i + 1 < leaves.length) nodes.push(parent ? { type: "parent", parentNode: parentNode(parent) } : undefined)
    }
    while (nodes.at(-1) === undefined) nodes.pop()
    return { leaves: leaves.filter((leaf) => leaf !== undefined), tree: encode(RatchetTreeNodes, nodes) }
  })
}

/**
 * Writes the keys, signatures and lifetime of one key package over those of the object at `pointer`, whose content is
 * that of `template`. Everything else must be the same in both.
 */
export function overwriteKeyPackage(
  memory: Uint8Array,
  pointer: number,
  template: Uint8Array,
  wanted: Uint8Array,
): void {
  const [from, to] = [decodeKeyPackage(template), decodeKeyPackage(wanted)]
  const values = (it: KeyPackage) => [
    it.initKey,
    it.signature,
    it.leafNode.encryptionKey,
    it.leafNode.signatureKey,
    it.leafNode.signature,
  ]
  const replaced = values(from).map((value, i) => overwriteBehindPointer(memory, pointer, value, values(to)[i]!))
  replaced.push(overwriteInside(memory, pointer, lifetimeBytes(from), lifetimeBytes(to)))
  if (!replaced.every(Boolean)) throw new Unable("a key package of another shape than its own")
}

const OBJECT_SIZE_MAX = 1024

function overwriteBehindPointer(memory: Uint8Array, object: number, from: Uint8Array, to: Uint8Array): boolean {
  const view = new DataView(memory.buffer, memory.byteOffset)
  let found = false
  for (let at = object; at < object + OBJECT_SIZE_MAX && at + 4 <= memory.length; at += 4) {
    const target = view.getUint32(at, true)
    if (target + from.length > memory.length || !startsWith(memory.subarray(target), from)) continue
    memory.set(to, target)
    found = true
  }
  return found && from.length === to.length
}

function overwriteInside(memory: Uint8Array, object: number, from: Uint8Array, to: Uint8Array): boolean {
  for (let at = object; at < object + OBJECT_SIZE_MAX; at += 4) {
    if (!startsWith(memory.subarray(at), from)) continue
    memory.set(to, at)
    return true
  }
  return false
}

function startsWith(bytes: Uint8Array, prefix: Uint8Array): boolean {
  return bytes.length >= prefix.length && prefix.every((byte, i) => bytes[i] === byte)
}

function lifetimeBytes({ leafNode: { leafNodeSource: source } }: KeyPackage): Uint8Array {
  if (source.type !== "keyPackage") throw new TypeError("not the leaf node of a key package")
  const bytes = new Uint8Array(16)
  new DataView(bytes.buffer).setBigUint64(0, source.lifetime.notBefore, true)
  new DataView(bytes.buffer).setBigUint64(8, source.lifetime.notAfter, true)
  return bytes
}

// --- The JSON --------------------------------------------------------------------------------------------------------

interface Bytes {
  readonly vec: readonly number[]
}

interface JsonLeafNode {
  readonly payload: {
    readonly encryption_key: { readonly key: Bytes }
    readonly signature_key: { readonly value: Bytes }
    readonly credential: { readonly serialized_credential_content: Bytes }
    readonly capabilities: Record<
      "versions" | "ciphersuites" | "extensions" | "proposals" | "credentials",
      readonly unknown[]
    >
    readonly leaf_node_source:
      | "Update"
      | { readonly KeyPackage: { readonly not_before: number; readonly not_after: number } }
      | { readonly Commit: Bytes }
    readonly extensions: { readonly unique: readonly unknown[] }
  }
  readonly signature: { readonly value: Bytes }
}

interface JsonKeyPackage {
  readonly payload: {
    readonly init_key: { readonly key: Bytes }
    readonly leaf_node: JsonLeafNode
    readonly extensions: { readonly unique: readonly unknown[] }
  }
  readonly signature: { readonly value: Bytes }
}

interface JsonParentNode {
  readonly encryption_key: { readonly key: Bytes }
  readonly parent_hash: Bytes
  readonly unmerged_leaves: readonly number[] | { readonly list: readonly number[] }
}

interface JsonTree {
  readonly tree: {
    readonly leaf_nodes: readonly { readonly node: JsonLeafNode | null }[]
    readonly parent_nodes: readonly { readonly node: JsonParentNode | null }[]
  }
}

function objectsAt<T>(memory: Uint8Array, start: string): T[] {
  const bytes = Buffer.from(memory.buffer, memory.byteOffset, memory.byteLength)
  const found: T[] = []
  for (let at = bytes.indexOf(start); at >= 0; at = bytes.indexOf(start, at + 1)) {
    const text = bytes.toString("latin1", at, endOfObject(bytes, at))
    try {
      found.push(JSON.parse(text) as T)
    } catch {
      // What is left of one that was freed and partly overwritten.
    }
  }
  return found
}

/** No string in this JSON holds a brace. */
function endOfObject(bytes: Buffer, start: number): number {
  let depth = 0
  for (let at = start; at < bytes.length; at++) {
    if (bytes[at] === 0x7b) depth++
    else if (bytes[at] === 0x7d && --depth === 0) return at + 1
  }
  return bytes.length
}

function keyPackageMessage({ payload, signature }: JsonKeyPackage): Uint8Array {
  requireNone(payload.extensions.unique)
  return encode(MLSMessage, {
    version: "mls10",
    wireFormat: {
      type: "mlsKeyPackage",
      keyPackage: {
        version: "mls10",
        cipherSuite: OPENMLS_SUITE,
        initKey: bytesOf(payload.init_key.key),
        leafNode: leafNode(payload.leaf_node),
        extensions: [],
        signature: bytesOf(signature.value),
      },
    },
  })
}

/** The one that openmls-wasm is compiled for. */
export const OPENMLS_SUITE = 3

function leafNode({ payload, signature }: JsonLeafNode): LeafNode {
  requireNone(payload.extensions.unique)
  return {
    encryptionKey: bytesOf(payload.encryption_key.key),
    signatureKey: bytesOf(payload.signature_key.value),
    credential: { type: "basic", identity: bytesOf(payload.credential.serialized_credential_content) },
    capabilities: capabilitiesOf(payload.capabilities),
    leafNodeSource: sourceOf(payload.leaf_node_source),
    extensions: [],
    signature: bytesOf(signature.value),
  }
}

function sourceOf(source: JsonLeafNode["payload"]["leaf_node_source"]): LeafNode["leafNodeSource"] {
  if (source === "Update") return { type: "update" }
  if ("Commit" in source) return { type: "commit", parentHash: bytesOf(source.Commit) }
  const { not_before, not_after } = source.KeyPackage
  return { type: "keyPackage", lifetime: { notBefore: BigInt(not_before), notAfter: BigInt(not_after) } }
}

function capabilitiesOf(json: JsonLeafNode["payload"]["capabilities"]): Capabilities {
  return {
    versions: json.versions.map(numberOf),
    cipherSuites: json.ciphersuites.map(numberOf),
    extensions: json.extensions.map(numberOf),
    proposals: json.proposals.map(numberOf),
    credentials: json.credentials.map(numberOf),
  }
}

const names: Readonly<Record<string, number>> = { Mls10: 1, Basic: 1, X509: 2 }

/** A name of OpenMLS's, a number, or `{"Unknown": number}`. */
function numberOf(value: unknown): number {
  const number =
    typeof value === "number"
      ? value
      : typeof value === "string"
        ? names[value]
        : Object.values(value as Record<string, number>)[0]
  if (number === undefined) throw new Unable(`no number is known for ${JSON.stringify(value)}`)
  return number
}

function parentNode(json: JsonParentNode) {
  const unmerged = "list" in json.unmerged_leaves ? json.unmerged_leaves.list : json.unmerged_leaves
  return {
    encryptionKey: bytesOf(json.encryption_key.key),
    parentHash: bytesOf(json.parent_hash),
    unmergedLeaves: unmerged.map((leaf) => leafIndex(leaf)),
  }
}

const bytesOf = ({ vec }: Bytes): Uint8Array => Uint8Array.from(vec)

function requireNone(extensions: readonly unknown[]): void {
  if (extensions.length > 0) throw new Unable("extensions that it keeps in a form of its own")
}
