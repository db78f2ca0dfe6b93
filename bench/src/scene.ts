import type { NeighbourClient, NeighbourGroup, NewCommit } from "@conclave/interop"
import type { CipherSuite } from "@conclave/mls"
import type { FullTree } from "./full-tree.js"

export const operations = ["encrypt", "decrypt", "add", "join", "commit", "process"] as const
export type Operation = (typeof operations)[number]

/** In milliseconds. That of an implementation in another process counts only what passes inside of it. */
export interface Clock {
  now(): number
}

/** What a benchmark asks of an implementation. */
export interface Party {
  client(identity: string, suite: number): Promise<Participant>
  /** That of this process, where it has none of its own. */
  readonly clock?: Clock
}

export interface Participant extends Pick<NeighbourClient, "keyPackage"> {
  create(groupId: Uint8Array): Promise<Member>
  join(welcome: Uint8Array, ratchetTree?: Uint8Array): Promise<Member>
}

export interface Member extends Pick<NeighbourGroup, "encrypt" | "commit" | "applyPending" | "ratchetTree"> {
  discardPending?(): void | Promise<void>
  receive(message: Uint8Array): Promise<{ readonly type: string }>
}

/** A member of a group, another one to talk with, and each operation of the first, timed alone. */
export class Scene {
  readonly #party: Party
  readonly #clock: Clock
  readonly #suite: CipherSuite
  readonly #tree: FullTree | undefined
  readonly #plaintext: Uint8Array
  #alice!: Member
  #bob!: Member
  #discarded = 0

  private constructor(party: Party, suite: CipherSuite, tree: FullTree | undefined) {
    this.#party = party
    this.#clock = party.clock ?? performance
    this.#suite = suite
    this.#tree = tree
    this.#plaintext = suite.provider.random(1024)
  }

  /** In a group of two, or in the full tree of a larger one. `peer`: what the other member runs. */
  static async set(party: Party, peer: Party, suite: CipherSuite, tree: FullTree | undefined) {
    const scene = new Scene(party, suite, tree)
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

  async #message(from: Member, to: Member): Promise<{ encrypt: number; decrypt: number }> {
    const start = this.#clock.now()
    const message = await from.encrypt(this.#plaintext)
    const sent = this.#clock.now()
    const received = await to.receive(message)
    const end = this.#clock.now()
    if (received.type !== "application") throw new Error("the message did not arrive")
    return { encrypt: sent - start, decrypt: end - sent }
  }

  async #update(from: Member, to: Member): Promise<{ commit: number; process: number }> {
    const start = this.#clock.now()
    const { commit } = await from.commit([])
    const committed = this.#clock.now()
    await from.applyPending()
    const applied = this.#clock.now()
    await to.receive(commit)
    return { commit: committed - start, process: this.#clock.now() - applied }
  }

  /** Adds somebody and takes it back, where that is possible. */
  async #add(): Promise<number> {
    const keyPackage = await this.#newKeyPackage(await this.#client("carol"))
    const start = this.#clock.now()
    const { proposals = [], commit } = await add(this.#alice, keyPackage)
    const milliseconds = this.#clock.now() - start
    if (this.#alice.discardPending) {
      await this.#alice.discardPending()
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
      return this.#timed(() => carol.join(welcome))
    }
    const alice = await this.#client("alice")
    const group = await alice.create(new TextEncoder().encode("another group of two"))
    const { welcome } = await add(group, await this.#newKeyPackage(carol))
    await group.applyPending()
    const beside = await group.ratchetTree?.()
    return this.#timed(() => carol.join(welcome!, beside))
  }

  async #timed(work: () => Promise<unknown>): Promise<number> {
    const start = this.#clock.now()
    await work()
    return this.#clock.now() - start
  }

  async #newKeyPackage(client: Participant): Promise<Uint8Array> {
    return client.keyPackage(await (await this.#client("like")).keyPackage())
  }

  #client(identity: string): Promise<Participant> {
    return this.#party.client(identity, this.#suite.number)
  }
}

const DISCARDED_MAX = 50

function add(group: Member, keyPackage: Uint8Array): Promise<NewCommit> {
  return group.commit([{ type: "add", keyPackage }])
}
