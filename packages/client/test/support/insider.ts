import assert from "node:assert/strict"
import { decode, encode } from "@conclave/codec"
import { noAccess } from "@conclave/contracts/access"
import type { Entry } from "@conclave/contracts/delivery"
import type { Knock, KnockTBS, SignedKnock } from "@conclave/contracts/knocks"
import { equalBytes } from "@conclave/crypto"
import {
  createKeyPackage,
  dangerouslyAcceptAll,
  decodeKeyPackage,
  Group,
  type GroupOptions,
  type KeyPackageBundle,
  type Signer,
} from "@conclave/mls"
import { LeafNode } from "@conclave/mls/wire"
import type { IntervalKeys } from "../../src/access/interval-keys.js"
import { openAnswer, openKnock, sealAnswers, sealKnock } from "../../src/access/knocks.js"
import { newcomerExtension } from "../../src/access/newcomer.js"
import { hex } from "../../src/bytes.js"
import { intervalIn, intervalOf } from "../../src/conversation/epoch-interval.js"
import { decodePayload, encodePayload, messageOf, PAYLOAD_VERSION } from "../../src/conversation/payload.js"
import { ConversationHandle } from "../../src/device/handle.js"
import { decodeEnvelope } from "../../src/heads/claims.js"
import type { Client } from "../../src/index.js"
import { entranceOf, expected, Mallory, noise } from "./mallory.js"
import { provider, type World } from "./world.js"

const none = new Uint8Array()
const random = (length: number) => provider.random(length)

type Suite = GroupOptions["suite"]

/** A member who follows the conversation with the real keys of a device, and keeps to no rule of the SDK. */
export class Insider {
  readonly world: World
  readonly mallory: Mallory
  group: Group
  /** Up to here she has read the log. */
  cursor: bigint
  /** Public keys for which her paths carry something else than the secret. */
  readonly #closed: Set<string>
  /** Those for which her last path was sealed. */
  readonly #sealed: Set<string>
  /** As it was when she took it over. */
  readonly #first: Inside["group"]
  /** A message of hers, from before she was removed. */
  readonly #lastWords: Uint8Array
  /** Of all intervals that she has been in. */
  readonly #intervals: IntervalKeys[] = []
  /** Her knocks, by id in hexadecimal. */
  readonly #bundles = new Map<string, KeyPackageBundle>()

  private constructor(world: World, { mallory, group }: Inside, cursor: bigint, { closed, sealed }: Keys) {
    this.world = world
    this.mallory = mallory
    this.group = group
    this.cursor = cursor
    this.#closed = closed
    this.#sealed = sealed
    const options = { ...mallory.options, suite: group.suite }
    this.#first = Group.restore({ ...options, records: [...group.records()] })
    this.#lastWords = this.#first.encrypt(none)
    this.#learn(mallory.keys!)
  }

  /** As the client's device stands in the store; the client itself is not used any more. */
  static async of(world: World, client: Client): Promise<Insider> {
    const keys = { closed: new Set<string>(), sealed: new Set<string>() }
    const has = (key: string) => keys.sealed.add(key) && keys.closed.has(key)
    const inside = await Mallory.inside(world, client, closingFor({ has }))
    const [conversation] = client.conversations.values()
    assert.ok(conversation instanceof ConversationHandle)
    return new Insider(world, inside, conversation.driver.state.position.cursor, keys)
  }

  /** With keys and a group of somebody's own. */
  static apart(world: World, inside: Inside): Insider {
    return new Insider(world, inside, 0n, { closed: new Set(), sealed: new Set() })
  }

  get keys(): IntervalKeys {
    return this.mallory.keys!
  }

  #learn(keys: IntervalKeys): void {
    this.mallory.keys = keys
    this.#intervals.push(keys)
  }

  #known({ key }: Pick<Knock, "key">): IntervalKeys {
    const known = this.#intervals.find(({ accessKey }) => equalBytes(accessKey, key))
    assert.ok(known !== undefined, "she knows the knock's interval")
    return known
  }

  get suite(): Suite {
    return this.group.suite
  }

  /** Follows what others have appended; a removal that she cannot open is an answer to her knock, or the end. */
  async follow(): Promise<void> {
    const { id: groupId } = this.group
    const asked = { type: "read", groupId, afterSeq: this.cursor, limit: 500, access: noAccess } as const
    const page = expected(await this.mallory.askAs(this.keys, asked), "entries")
    for (const { seq, kind, body } of page.entries) {
      this.cursor = seq
      if (kind !== "commit" || !this.group.active) continue
      try {
        const received = this.group.receive(body)
        if (received.type !== "commit") continue
        const { staged } = received
        this.group.apply(staged, dangerouslyAcceptAll(staged.claims))
        if (staged.selfRemoved) await this.#enter()
        else if (staged.path) this.#learn(intervalIn(this.group))
      } catch {
        // Garbage, her own included.
      }
    }
  }

  /**
   * What she reads of entries, wherever she has them from: texts. Commits that her keys open she follows, but for
   * her own removal.
   */
  read(entries: readonly Pick<Entry, "body" | "kind">[]): readonly string[] {
    return entries.flatMap(({ body }) => {
      try {
        const received = this.group.receive(body)
        if (received.type === "commit" && !received.staged.selfRemoved) {
          this.group.apply(received.staged, dangerouslyAcceptAll(received.staged.claims))
          if (received.staged.path) this.#learn(intervalIn(this.group))
        }
        if (received.type !== "application") return []
        return messageOf(decodePayload(decodeEnvelope(received.plaintext).payload))?.text ?? []
      } catch {
        return []
      }
    })
  }

  /** A message of hers as the SDK would show it. */
  say(text: string): Uint8Array {
    const sentAt = BigInt(this.world.now)
    const payload = { version: PAYLOAD_VERSION, messageId: random(16), sentAt, body: { type: "text", text } } as const
    return this.group.encrypt(encodePayload(payload))
  }

  /** By the answer to one of her knocks. */
  async #enter(): Promise<void> {
    const { id: groupId } = this.group
    for (const [key, bundle] of this.#bundles) {
      const knock = Uint8Array.from(Buffer.from(key, "hex"))
      // She has knocked with the newest keys.
      const { keys } = this
      const found = await this.mallory.askAs(keys, { type: "answer", groupId, id: knock, access: noAccess })
      if (found.type !== "answer") continue
      const welcome = openAnswer(this.suite, { groupId, knock, keys }, found)
      const staged = Group.stageJoin({ ...this.#options, welcome: welcome!, keyPackages: [bundle] })
      this.group = staged.accept(dangerouslyAcceptAll(staged.claims))
      this.#learn(intervalIn(this.group))
      this.#bundles.delete(key)
      return
    }
  }

  get #options(): GroupOptions {
    return { ...this.mallory.options, suite: this.suite }
  }

  leafOf(name: string) {
    const wanted = new TextEncoder().encode(name)
    const found = this.group.members.find(
      ({ credential }) => credential.type === "basic" && equalBytes(credential.identity, wanted),
    )
    assert.ok(found !== undefined, `${name} is in the tree`)
    return found.leafIndex
  }

  /** What is in the tree, as a knock names it. */
  leafHash(name: string): Uint8Array {
    return this.suite.hash.digest(this.group.leafNode(this.leafOf(name))!)
  }

  /** A commit as an honest device makes it. */
  async commit(): Promise<void> {
    await this.mallory.commit(this.group, {})
    this.#learn(this.keys)
    this.cursor = await this.mallory.lastCommit(this.group.id)
  }

  /** A good commit, but that its path opens for none of these. Throws {@link NotPossible} where others share their keys. */
  async closePath(names: readonly string[]): Promise<void> {
    for (const name of names) {
      const { encryptionKey } = decode(LeafNode, this.group.leafNode(this.leafOf(name))!)
      this.#closed.add(hex(encryptionKey))
    }
    this.#sealed.clear()
    this.group.commit()
    this.group.discardPending()
    if ([...this.#closed].some((key) => !this.#sealed.has(key)))
      throw new NotPossible(`a path closed to ${names} alone`)
    await this.commit()
    this.#closed.clear()
  }

  /** A commit that holds, and the key that it registers: another one, or none. Her own group stays where it is. */
  async misregister(keys: IntervalKeys | undefined): Promise<void> {
    const commit = this.group.commit()
    this.group.discardPending()
    await this.#register(commit.message, this.group.epoch, keys)
  }

  /** Bytes that nobody can open, said to be a commit of this epoch. */
  garbage(epoch: bigint, keys?: IntervalKeys): Promise<void> {
    return this.#register(noise(this.group.id, epoch), epoch, keys)
  }

  async #register(body: Uint8Array, epoch: bigint, keys: IntervalKeys | undefined): Promise<void> {
    await this.#append(body, epoch, { begins: keys && { accessKey: keys.accessKey, removes: false } })
    if (keys !== undefined) this.mallory.keys = keys
  }

  /** Appends a commit that has been made elsewhere. */
  append(body: Uint8Array, epoch: bigint): Promise<void> {
    return this.#append(body, epoch, {})
  }

  async #append(body: Uint8Array, epoch: bigint, parts: object): Promise<void> {
    const commit = { welcome: none, recipients: [], begins: undefined, answers: undefined, ...parts }
    const { id } = this.group
    const answer = expected(await this.mallory.append(id, { kind: "commit", epoch, body, commit }), "accepted")
    this.cursor = answer.seq
  }

  lastWords(): { readonly epoch: bigint; readonly body: Uint8Array } {
    return { epoch: this.#first.epoch, body: this.#lastWords }
  }

  /** A commit of the first epoch, when there is another one already: it holds for whoever is still in that epoch. */
  async appendSibling(): Promise<void> {
    const eve = new Mallory(this.world, "eve")
    const { message, epoch } = this.#first.commit({ add: [eve.keyPackage()], path: false })
    await this.append(message, epoch - 1n)
  }

  /** A key of her own, which she proves from then on. */
  strangeKeys(): IntervalKeys {
    return intervalIn(Group.create({ ...this.#options, groupId: random(32) }))
  }

  // --- Answers to others' knocks ---

  opened(knock: Knock): SignedKnock {
    const opened = openKnock(this.group.id, knock, this.#known(knock))
    assert.ok(opened !== undefined, "it opens")
    return opened
  }

  /**
   * Takes a knocker out and in by a commit that holds. Beside it is a Welcome that nobody can open, or one into a group of
   * her own, which tells the secret of the interval that the commit begins.
   */
  async answer(knock: Knock, name: string, kind: "broken" | "invented"): Promise<void> {
    const { keyPackage } = this.opened(knock).content
    const { id: groupId, epoch } = this.group
    const keys = this.#known(knock)
    const changes = { add: [keyPackage], remove: [this.leafOf(name)] }
    // What her group was before it moves on.
    const beside = Group.restore({ ...this.#options, records: [...this.group.records()] })
    const commit = this.group.commit(changes)
    const next = intervalOf(this.suite, groupId, ({ label, context, length }) =>
      this.group.exportSecretAfter(commit, label, context, length),
    )
    const begins = { accessKey: next.accessKey, removes: true }
    const welcomeExtensions = () => [newcomerExtension(next, undefined), entranceOf(commit, begins)]
    const { welcome } = beside.commit({ ...changes, welcomeExtensions })
    const to = [{ knock: knock.id, keys }]
    const answers = sealAnswers(this.suite, { welcome: kind === "broken" ? random(99) : welcome!, groupId, to }, random)
    this.group.apply(commit, dangerouslyAcceptAll(commit.claims))
    await this.#append(commit.message, epoch, { begins, answers })
    this.#learn(next)
  }

  // --- Her own knocks ---

  /** `changes` in the place of what an honest device would say. */
  async knock(
    signer: Signer,
    changes: Partial<KnockTBS> & Pick<KnockTBS, "leafNodeHashes">,
    { keys = this.keys }: { readonly keys?: IntervalKeys } = {},
  ): Promise<Knock> {
    const { id: groupId } = this.group
    const knock = this.madeKnock(signer, changes, { keys })
    const { id, sealed } = knock
    expected(await this.mallory.askAs(keys, { type: "knock", groupId, id, sealed, access: noAccess }), "done")
    return knock
  }

  /** The same, and nobody has it yet. */
  madeKnock(
    signer: Signer,
    changes: Partial<KnockTBS> & Pick<KnockTBS, "leafNodeHashes">,
    { keys = this.keys }: { readonly keys?: IntervalKeys } = {},
  ): Knock {
    const { id: groupId } = this.group
    const bundle = keyPackageFor(this.world, this.suite, signer)
    const id = knockId()
    const content: KnockTBS = {
      ...{ id, groupId, interval: keys.accessKey, seen: this.cursor, seenHash: none },
      ...{ stuckAt: undefined, keyPackage: bundle.keyPackage, ...changes },
    }
    const sealed = sealKnock(content, { keys, signer: signer.key, random })
    this.#bundles.set(hex(id), bundle)
    return { id, key: keys.accessKey, sealed, at: BigInt(this.world.now) }
  }

  /** The leaf that is in a key package, as a knock names it. */
  packageLeafHash(keyPackage: Uint8Array): Uint8Array {
    return this.suite.hash.digest(encode(LeafNode, decodeKeyPackage(keyPackage).leafNode))
  }
}

/** What cannot be carried out in the tree as it is. */
export class NotPossible extends Error {}

interface Keys {
  readonly closed: Set<string>
  readonly sealed: Set<string>
}

type Inside = Awaited<ReturnType<typeof Mallory.inside>>

export function keyPackageFor(world: World, suite: Suite, signer: Signer): KeyPackageBundle {
  const seconds = BigInt(Math.floor(world.now / 1_000))
  const lifetime = { notBefore: seconds - 60n, notAfter: seconds + 86_400n * 7n }
  return createKeyPackage({ suite, signer, lifetime, lastResort: false, random })
}

/** By its first two bytes the member in the second leaf of three or four answers first: in a trace, nobody with the SDK. */
export const knockId = (): Uint8Array => firstTurn(random(16))

export function firstTurn(id: Uint8Array): Uint8Array {
  id.set([0, 11])
  return id
}

/** The same key under another name. */
export function copyOfSigner({ key }: Signer, name: string): Signer {
  return { credential: { type: "basic", identity: new TextEncoder().encode(name) }, key }
}

/** The suite, but that what is sealed for one of these public keys is something else. */
export function closingFor(closed: { has(publicKey: string): boolean }): (suite: Suite) => Suite {
  return (suite) => {
    const seal: Suite["hpke"]["seal"] = (publicKey, message) => {
      const plaintext = closed.has(hex(publicKey)) ? random(message.plaintext.length) : message.plaintext
      return suite.hpke.seal(publicKey, { ...message, plaintext })
    }
    const sealAll: Suite["hpke"]["sealAll"] = (recipients, shared) =>
      recipients.map(({ publicKey, ...message }) => seal(publicKey, { ...message, ...shared }))
    return { ...suite, hpke: { ...suite.hpke, seal, sealAll } }
  }
}
