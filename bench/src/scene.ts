import type { Neighbour, NeighbourClient, NeighbourGroup, NewCommit } from "@conclave/interop"
import type { CipherSuite } from "@conclave/mls"
import { timed } from "./contest.js"
import type { FullTree } from "./full-tree.js"

export const operations = ["encrypt", "decrypt", "add", "join", "commit", "process"] as const
export type Operation = (typeof operations)[number]

/** A member of a group, another one to talk with, and each operation of the first, timed alone. */
export class Scene {
  readonly #neighbour: Neighbour
  readonly #suite: CipherSuite
  readonly #tree: FullTree | undefined
  readonly #plaintext: Uint8Array
  #alice!: NeighbourGroup
  #bob!: NeighbourGroup
  #discarded = 0

  private constructor(neighbour: Neighbour, suite: CipherSuite, tree: FullTree | undefined) {
    this.#neighbour = neighbour
    this.#suite = suite
    this.#tree = tree
    this.#plaintext = suite.provider.random(1024)
  }

  /** In a group of two, or in the full tree of a larger one. `peer`: what the other member runs. */
  static async set(neighbour: Neighbour, peer: Neighbour, suite: CipherSuite, tree: FullTree | undefined) {
    const scene = new Scene(neighbour, suite, tree)
    const [alice, bob] = [await scene.#client("alice"), await peer.client("bob", suite.number)]
    if (tree === undefined) {
      const groupId = new TextEncoder().encode("a group of two members")
      scene.#alice = await alice.create(groupId)
      const { welcome } = await add(scene.#alice, await bob.keyPackage(await alice.keyPackage()))
      await scene.#alice.applyPending()
      scene.#bob = await bob.join(welcome!, await scene.#alice.ratchetTree?.())
    } else {
      const { welcome } = tree.welcome([await alice.keyPackage(), await bob.keyPackage()])
      scene.#alice = await alice.join(welcome)
      scene.#bob = await bob.join(welcome)
    }
    // Fills what the newcomers have left blank.
    await scene.#update(scene.#bob, scene.#alice)
    return scene
  }

  /** Milliseconds of one run. @throws Unable */
  async run(operation: Operation): Promise<number> {
    switch (operation) {
      case "encrypt":
        return (await this.#message(this.#alice, this.#bob)).encrypt
      case "decrypt":
        return (await this.#message(this.#bob, this.#alice)).decrypt
      case "commit":
        return (await this.#update(this.#alice, this.#bob)).commit
      case "process":
        return (await this.#update(this.#bob, this.#alice)).process
      case "add":
        return this.#add()
      case "join":
        return this.#join()
    }
  }

  async #message(from: NeighbourGroup, to: NeighbourGroup): Promise<{ encrypt: number; decrypt: number }> {
    const start = performance.now()
    const message = await from.encrypt(this.#plaintext)
    const sent = performance.now()
    const received = await to.receive(message)
    const end = performance.now()
    if (received.type !== "application") throw new Error("the message did not arrive")
    return { encrypt: sent - start, decrypt: end - sent }
  }

  async #update(from: NeighbourGroup, to: NeighbourGroup): Promise<{ commit: number; process: number }> {
    const start = performance.now()
    const { commit } = await from.commit([])
    const committed = performance.now()
    await from.applyPending()
    const applied = performance.now()
    await to.receive(commit)
    return { commit: committed - start, process: performance.now() - applied }
  }

  /** Adds somebody and takes it back, where that is possible. */
  async #add(): Promise<number> {
    const keyPackage = await this.#newKeyPackage(await this.#client("carol"))
    const start = performance.now()
    const { proposals = [], commit } = await add(this.#alice, keyPackage)
    const milliseconds = performance.now() - start
    if (this.#alice.discardPending) {
      this.#alice.discardPending()
      // Each commit spends a key of the epoch, and nobody follows who has missed hundreds.
      if (++this.#discarded % DISCARDED_MAX === 0) await this.#update(this.#alice, this.#bob)
    } else {
      await this.#alice.applyPending()
      for (const message of [...proposals, commit]) await this.#bob.receive(message)
    }
    return milliseconds
  }

  /** A third client joins: a group of two newly made, or the large one in the place of the others. */
  async #join(): Promise<number> {
    const carol = await this.#client("carol")
    if (this.#tree !== undefined) {
      const { welcome } = this.#tree.welcome([await carol.keyPackage()])
      return timed(() => carol.join(welcome))
    }
    const alice = await this.#client("alice")
    const group = await alice.create(new TextEncoder().encode("another group of two"))
    const { welcome } = await add(group, await this.#newKeyPackage(carol))
    await group.applyPending()
    const beside = await group.ratchetTree?.()
    return timed(() => carol.join(welcome!, beside))
  }

  async #newKeyPackage(client: NeighbourClient): Promise<Uint8Array> {
    return client.keyPackage(await (await this.#client("like")).keyPackage())
  }

  #client(identity: string): Promise<NeighbourClient> {
    return this.#neighbour.client(identity, this.#suite.number)
  }
}

const DISCARDED_MAX = 50

function add(group: NeighbourGroup, keyPackage: Uint8Array): Promise<NewCommit> {
  return group.commit([{ type: "add", keyPackage }])
}
