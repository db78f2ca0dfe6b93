import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { decodeKeyPackage } from "@conclave/mls"
import type * as OpenMls from "openmls-wasm"
import {
  type Change,
  type Neighbour,
  type NeighbourClient,
  type NeighbourGroup,
  type NeighbourReceived,
  type NewCommit,
  Unable,
} from "./neighbour.js"
import { OPENMLS_SUITE, overwriteKeyPackage, storedKeyPackages, storedTrees } from "./openmls-memory.js"

/**
 * OpenMLS, compiled to WebAssembly by its authors: one cipher suite, groups, additions one at a time, application
 * messages and exporters; no updates, removals, proposals, pre-shared keys or GroupInfo.
 */
export const openMls: Neighbour = {
  name: "openmls-wasm",
  version: "0.1.0",
  suites: [OPENMLS_SUITE],
  async client(identity, suite) {
    if (suite !== OPENMLS_SUITE) throw new Unable(`cipher suite ${suite}`)
    return new OpenMlsClient(identity)
  },
}

/** A pointer into the instance's memory, which every object of the wrapper holds. */
type Pointed<T> = T & { readonly __wbg_ptr: number }

const { glue, memory } = await instantiate()

/** What we need of WebAssembly: the compiler's libraries know it for browsers only. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object, imports: object) => { readonly exports: WasmExports }
}
interface WasmExports {
  readonly memory: { readonly buffer: ArrayBuffer }
  __wbindgen_start(): void
}

/** The package is made for bundlers, which load WebAssembly as a module; Node 20 does not. */
async function instantiate() {
  const require = createRequire(import.meta.url)
  const file = require.resolve("openmls-wasm/openmls_wasm_bg.wasm")
  const wrapper = "openmls-wasm/openmls_wasm_bg.js"
  const loaded = (await import(wrapper)) as typeof OpenMls & { __wbg_set_wasm(exports: WasmExports): void }
  const instance = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(file)), {
    "./openmls_wasm_bg.js": loaded,
  })
  loaded.__wbg_set_wasm(instance.exports)
  instance.exports.__wbindgen_start()
  // The buffer is another whenever the memory has grown.
  return { glue: loaded, memory: () => new Uint8Array(instance.exports.memory.buffer) }
}

/** Whose tree the bytes were found as: it joins with the object only. */
const trees = new WeakMap<Uint8Array, OpenMls.Group>()

class OpenMlsClient implements NeighbourClient {
  readonly identity: string
  readonly suite = OPENMLS_SUITE
  readonly provider = new glue.Provider()
  readonly person: OpenMls.Identity

  constructor(identity: string) {
    this.identity = identity
    this.person = new glue.Identity(this.provider, identity)
  }

  get handshake(): "private" | "public" {
    return "private"
  }

  set handshake(wanted: "private" | "public") {
    if (wanted === "public") throw new Unable("it sends no handshakes as PublicMessages")
  }

  async keyPackage(): Promise<Uint8Array> {
    return newKeyPackage(this.person, this.provider).bytes
  }

  async create(groupId: Uint8Array): Promise<OpenMlsGroup> {
    const group = glue.Group.create_new(this.provider, this.person, new TextDecoder().decode(groupId))
    return new OpenMlsGroup(this, group, groupId, 0n)
  }

  async join(welcome: Uint8Array, ratchetTree?: Uint8Array): Promise<OpenMlsGroup> {
    const beside = ratchetTree && trees.get(ratchetTree)?.export_ratchet_tree()
    if (ratchetTree !== undefined && beside === undefined) {
      throw new Unable("it takes no bytes for a tree beside the Welcome")
    }
    // An argument that it does not look at where the Welcome has the tree inside.
    const unused = () => glue.Group.create_new(this.provider, this.person, "none").export_ratchet_tree()
    return new OpenMlsGroup(this, glue.Group.join(this.provider, welcome, beside ?? unused()))
  }
}

class OpenMlsGroup implements NeighbourGroup {
  readonly #client: OpenMlsClient
  readonly #group: OpenMls.Group
  readonly #id: Uint8Array | undefined
  #epoch: bigint | undefined
  #added: Uint8Array | undefined

  constructor(client: OpenMlsClient, group: OpenMls.Group, id?: Uint8Array, epoch?: bigint) {
    this.#client = client
    this.#group = group
    this.#id = id
    this.#epoch = epoch
  }

  get id(): Uint8Array {
    if (this.#id === undefined) throw new Unable("it does not tell the group id")
    return this.#id
  }

  get epoch(): bigint {
    if (this.#epoch === undefined) throw new Unable("it does not tell the epoch")
    return this.#epoch
  }

  async exportSecret(label: string, context: Uint8Array, length: number): Promise<Uint8Array> {
    return this.#group.export_key(this.#client.provider, label, context, length)
  }

  async encrypt(plaintext: Uint8Array, authenticatedData?: Uint8Array): Promise<Uint8Array> {
    if (authenticatedData !== undefined && authenticatedData.length > 0) throw new Unable("no authenticated data")
    return this.#group.create_message(this.#client.provider, this.#client.person, plaintext)
  }

  async commit(changes: readonly Change[]): Promise<NewCommit> {
    const [change] = changes
    if (changes.length !== 1 || change?.type !== "add") throw new Unable("it commits one addition and nothing else")
    const keyPackage = keyPackageObject(change.keyPackage)
    const { provider, person } = this.#client
    const added = this.#group.propose_and_commit_add(provider, person, keyPackage)
    const { proposal, commit, welcome } = added
    this.#added = change.keyPackage
    return { proposals: [proposal], commit, welcome, treeMissing: true }
  }

  async applyPending(): Promise<void> {
    this.#group.merge_pending_commit(this.#client.provider)
    if (this.#epoch !== undefined) this.#epoch++
  }

  /** Of the epoch that the last commit of this member began. */
  async ratchetTree(): Promise<Uint8Array> {
    if (this.#added === undefined) throw new Unable("a tree is found by whom this member has added")
    const tree = treeWith(this.#added)
    trees.set(tree, this.#group)
    return tree
  }

  async receive(message: Uint8Array): Promise<NeighbourReceived> {
    // Whatever is no application message gives an empty one.
    const plaintext = this.#group.process_message(this.#client.provider, message)
    if (plaintext.length > 0) return { type: "application", plaintext }
    return { type: "ignored" }
  }
}

function newKeyPackage(person: OpenMls.Identity, provider: OpenMls.Provider) {
  const known = new Set(storedKeyPackages(memory()).map(hex))
  const object = person.key_package(provider) as Pointed<OpenMls.KeyPackage>
  const bytes = storedKeyPackages(memory()).find((it) => !known.has(hex(it)))
  if (bytes === undefined) throw new Unable("its new key package was not found")
  return { object, bytes }
}

/** One of its own objects, made to hold somebody else's key package. */
function keyPackageObject(wanted: Uint8Array): OpenMls.KeyPackage {
  const { credential } = decodeKeyPackage(wanted).leafNode
  if (credential.type !== "basic") throw new Unable("it knows basic credentials")
  const provider = new glue.Provider()
  const namesake = new glue.Identity(provider, new TextDecoder().decode(credential.identity))
  const { object, bytes } = newKeyPackage(namesake, provider)
  overwriteKeyPackage(memory(), object.__wbg_ptr, bytes, wanted)
  return object
}

function treeWith(keyPackage: Uint8Array): Uint8Array {
  const { encryptionKey } = decodeKeyPackage(keyPackage).leafNode
  const found = storedTrees(memory()).findLast(({ leaves }) =>
    leaves.some((leaf) => hex(leaf.encryptionKey) === hex(encryptionKey)),
  )
  if (found === undefined) throw new Unable("the tree of the group was not found")
  return found.tree
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")
