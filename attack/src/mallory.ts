import { deviceIdOf } from "@conclave/contracts/auth"
import type { Entry } from "@conclave/contracts/delivery"
import { type CryptoProvider, equalBytes } from "@conclave/crypto"
import { nodeProvider } from "@conclave/crypto/node"
import type {
  CipherSuite,
  Exporter,
  Group,
  GroupChanges,
  KeyPackageBundle,
  OutgoingCommit,
  Signer,
} from "@conclave/mls"
import * as realMls from "@conclave/mls"
import {
  type Ask,
  appendOf,
  askAuth,
  askDelivery,
  type CommitParts,
  DEVICE_REQUEST_LABEL,
  type DeliveryRequest,
  type DeliveryResponse,
  type GroupRequest,
  type NewEntry,
  noAccess,
  type Prover,
  payloadOf,
  proved,
  provedBy,
  REGISTRATION_LABEL,
  registrationContent,
} from "./contract.js"
import type { Mls } from "./hostile.js"
import { IntervalKeys, nameCommit, tellNewcomers, toldBy } from "./interval-keys.js"

export interface MalloryOptions {
  readonly provider?: CryptoProvider
  /** Default: the real library. */
  readonly mls?: Mls
  /** The name in credentials, where it is not the one that is registered. */
  readonly poses?: string
  /** Default: true. */
  readonly registered?: boolean
}

const SUITE = 1
const text = new TextEncoder()

export type WelcomeExtensions = NonNullable<GroupChanges["welcomeExtensions"]>

/** Somebody without the SDK: speaks to the services and to the group with nothing in between. */
export class Mallory {
  readonly name: string
  readonly ask: Ask
  readonly mls: Mls
  readonly suite: CipherSuite
  readonly deviceId: Uint8Array
  /** Changes with a commit that rotates it. */
  signer: Signer
  group: Group | undefined
  /** Of the newest interval that she knows; without them she is a stranger. */
  keys: IntervalKeys | undefined
  /** Up to here the log was read, and the last commit in it. */
  cursor = 0n
  lastCommit = 0n
  readonly heard: { readonly from: string; readonly text: string }[] = []
  readonly #bundles: KeyPackageBundle[] = []

  private constructor(name: string, ask: Ask, options: MalloryOptions) {
    this.name = name
    this.ask = ask
    this.mls = options.mls ?? realMls
    const provider = options.provider ?? nodeProvider()
    this.suite = this.mls.cipherSuite(SUITE, provider)
    const key = this.suite.signature.generate((length) => provider.random(length))
    this.signer = { credential: { type: "basic", identity: text.encode(options.poses ?? name) }, key }
    const sha256 = (...parts: readonly Uint8Array[]) => provider.hashes["SHA-256"]!.digest(...parts)
    this.deviceId = deviceIdOf(sha256, { cipherSuite: SUITE, signatureKey: key.publicKey })
  }

  /** Throws where the directory does not take the name. */
  static async come(name: string, ask: Ask, options: MalloryOptions = {}): Promise<Mallory> {
    const mallory = new Mallory(name, ask, options)
    if (options.registered === false) return mallory
    const answer = await mallory.register(name)
    if (answer !== "registered") throw new Error(`${name} cannot register: ${answer}`)
    return mallory
  }

  /** Returns what the directory said. */
  async register(name: string): Promise<string> {
    const device = { name, cipherSuite: SUITE, signatureKey: this.signer.key.publicKey }
    const signature = this.mls.signWithLabel(this.signer.key, REGISTRATION_LABEL, registrationContent(device))
    const answer = await askAuth(this.ask, { type: "register", ...device, signature, endorsement: undefined })
    return answer.type === "invalid" ? `invalid: ${answer.reason}` : answer.type
  }

  delivery(request: DeliveryRequest): Promise<DeliveryResponse> {
    return askDelivery(this.ask, request)
  }

  /** The same with the device's signature. */
  asDevice(request: Parameters<typeof proved>[1]): Promise<DeliveryResponse> {
    const sign = (content: Uint8Array) => this.mls.signWithLabel(this.signer.key, DEVICE_REQUEST_LABEL, content)
    return this.delivery(proved({ deviceId: this.deviceId, sign }, request))
  }

  get groupOptions() {
    return { suite: this.suite, signer: this.signer, now: () => BigInt(Math.floor(Date.now() / 1000)) }
  }

  keyPackage(options: Partial<Parameters<Mls["createKeyPackage"]>[0]> = {}): KeyPackageBundle {
    const now = BigInt(Math.floor(Date.now() / 1000))
    const lifetime = { notBefore: now - 3_600n, notAfter: now + 86_400n * 30n }
    return this.mls.createKeyPackage({ suite: this.suite, signer: this.signer, lifetime, ...options })
  }

  /** Leaves key packages, so that others can add her. */
  async publish(bundles: readonly KeyPackageBundle[] = [this.keyPackage()]): Promise<void> {
    this.#bundles.push(...bundles)
    const keyPackages = bundles.map(({ keyPackage }) => keyPackage)
    const answer = await this.asDevice((proof) => ({
      type: "publishKeyPackages",
      cipherSuite: SUITE,
      keyPackages,
      lastResort: undefined,
      replaces: false,
      proof,
    }))
    if (answer.type !== "keyPackageCount") throw new Error(`key packages: ${describe(answer)}`)
  }

  /** Enters by the first Welcome that is waiting. */
  async join(): Promise<Group> {
    const answer = await this.asDevice((proof) => ({ type: "inbox", after: 0n, limit: 100, proof }))
    if (answer.type !== "inboxEntries") throw new Error(`inbox: ${describe(answer)}`)
    const entry = answer.entries.filter(({ kind }) => kind === "welcome").at(-1)
    if (entry === undefined) throw new Error(`${this.name} was not invited`)
    return this.#enter(entry.body, entry.seq)
  }

  /** Enters by a Welcome that came with the entry `seq`. */
  #enter(welcome: Uint8Array, seq: bigint): Group {
    const staged = this.mls.Group.stageJoin({ ...this.groupOptions, welcome, keyPackages: this.#bundles })
    this.keys = toldBy(this.suite, staged.groupInfoExtensions)
    this.group = staged.accept(this.mls.dangerouslyAcceptAll(staged.claims))
    this.cursor = this.lastCommit = seq
    return this.group
  }

  /** A group of her own, of whatever id. */
  found(groupId: Uint8Array): Group {
    this.group = this.mls.Group.create({ ...this.groupOptions, groupId })
    this.keys = this.keysIn(this.group)
    return this.group
  }

  /** Of the interval that begins with a group's present epoch. */
  keysIn(group: Group): IntervalKeys {
    return IntervalKeys.of(this.suite, group.id, (label, context, length) => group.exportSecret(label, context, length))
  }

  /** Somebody inside tells her what she knows of the conversation; she is still no member. */
  learnFrom(inside: Mallory): void {
    this.keys = inside.keys
    this.cursor = inside.cursor
    this.lastCommit = inside.lastCommit
  }

  /** By `keys`, or hers, where there are any. */
  askGroup(request: GroupRequest, keys: Prover | undefined = this.keys): Promise<DeliveryResponse> {
    return this.delivery(keys === undefined ? request : provedBy(keys, request))
  }

  read(groupId: Uint8Array, afterSeq = 0n, keys: Prover | undefined = this.keys): Promise<DeliveryResponse> {
    return this.askGroup({ type: "read", groupId, afterSeq, limit: 500, access: noAccess }, keys)
  }

  /** How far the log goes for her. Throws {@link Refused}. */
  async head(groupId: Uint8Array, keys: Prover | undefined = this.keys) {
    const answer = await this.askGroup({ type: "head", groupId, access: noAccess }, keys)
    if (answer.type !== "head") throw new Refused(answer)
    return answer
  }

  append(
    entry: Omit<NewEntry, "idempotencyId" | "after"> & { after?: bigint },
    keys: Prover | undefined = this.keys,
  ): Promise<DeliveryResponse> {
    const idempotencyId = crypto.getRandomValues(new Uint8Array(16))
    return this.askGroup(appendOf({ idempotencyId, after: this.lastCommit, ...entry }), keys)
  }

  /** Encrypts what the SDK would show, and appends it. */
  async say(message: Parameters<typeof payloadOf>[0], messageId?: Uint8Array): Promise<DeliveryResponse> {
    const group = this.group!
    const { id: groupId, epoch } = group
    const body = group.encrypt(payloadOf(message, messageId))
    return required(await this.append({ groupId, kind: "application", epoch, body }))
  }

  async propose(change: Parameters<Group["propose"]>[0]): Promise<DeliveryResponse> {
    return required(await this.proposeAny(change))
  }

  /** Returns whatever the service said. */
  proposeAny(change: Parameters<Group["propose"]>[0]): Promise<DeliveryResponse> {
    const group = this.group!
    const { id: groupId, epoch } = group
    const { message: body } = group.propose(change)
    return this.append({ groupId, kind: "proposal", epoch, body })
  }

  /** Commits, and applies it if the service takes it. `parts` in the place of what belongs beside the commit. */
  async commit(
    changes: Parameters<Group["commit"]>[0] = {},
    recipients: readonly Uint8Array[] = [],
    parts: Partial<CommitParts> | ((begins: CommitParts["begins"], made: OutgoingCommit) => Partial<CommitParts>) = {},
  ): Promise<DeliveryResponse> {
    const group = this.group!
    const { id: groupId, epoch } = group
    const keysOf = (exportNext: Exporter) =>
      IntervalKeys.of(this.suite, groupId, (label, context, length) => exportNext({ label, context, length }))
    const welcomeExtensions: WelcomeExtensions = (exportNext, commit) => {
      const keys = keysOf(exportNext)
      return [tellNewcomers(keys), nameCommit(this.suite, commit, commit.path ? keys : undefined)]
    }
    const made = group.commit({ welcomeExtensions, ...changes })
    const after = made.path ? keysOf((it) => group.exportSecretAfter(made, it.label, it.context, it.length)) : undefined
    const begins = after && { accessKey: after.accessKey, removes: made.removals.length > 0 }
    const answer = await this.append({
      groupId,
      kind: "commit",
      epoch,
      body: made.message,
      commit: {
        ...(made.welcome && { welcome: made.welcome }),
        recipients: recipients.map((deviceId) => ({ deviceId })),
        begins,
        ...(typeof parts === "function" ? parts(begins, made) : parts),
      },
    })
    if (answer.type !== "accepted") {
      group.discardPending()
      return answer
    }
    group.apply(made, this.mls.dangerouslyAcceptAll(made.claims))
    if (changes.signer) this.signer = changes.signer
    this.keys = after ?? this.keys
    this.cursor = this.lastCommit = answer.seq
    return answer
  }

  /** Reads what is behind the cursor, and follows it where she can. */
  async follow(): Promise<void> {
    const groupId = this.group!.id
    for (;;) {
      const page = await this.read(groupId, this.cursor)
      if (page.type !== "entries") throw new Refused(page)
      for (const entry of page.entries) this.take(entry)
      if (page.entries.length === 0 || this.cursor >= page.headSeq) return
    }
  }

  /** One entry of a log, wherever she has it from. */
  take(entry: Pick<Entry, "seq" | "kind" | "body">): void {
    this.cursor = entry.seq
    if (entry.kind === "commit") this.lastCommit = entry.seq
    try {
      const received = this.group!.receive(entry.body)
      if (received.type === "commit") {
        this.group!.apply(received.staged, this.mls.dangerouslyAcceptAll(received.staged.claims))
        if (received.staged.path && this.group!.active) this.keys = this.keysIn(this.group!)
      } else if (received.type === "application") {
        const { credential } = received.sender
        const from = credential.type === "basic" ? Buffer.from(credential.identity).toString("utf8") : "?"
        this.heard.push({ from, text: Buffer.from(received.plaintext).toString("utf8") })
      }
    } catch {
      // What she cannot read is what the defenders want.
    }
  }

  /** What she has read of a text: who said it, or `undefined`. */
  heardOf(words: string): string | undefined {
    return this.heard.find((it) => it.text.includes(words))?.from
  }

  leafOf(name: string) {
    const wanted = text.encode(name)
    return this.group!.members.find(
      ({ credential }) => credential.type === "basic" && equalBytes(credential.identity, wanted),
    )!.leafIndex
  }
}

/** The service said no. */
export class Refused extends Error {
  readonly answer: DeliveryResponse

  constructor(answer: DeliveryResponse) {
    super(describe(answer))
    this.answer = answer
  }
}

/** Throws {@link Refused} for anything but `accepted`. */
export function required(answer: DeliveryResponse): DeliveryResponse {
  if (answer.type !== "accepted") throw new Refused(answer)
  return answer
}

export const describe = (answer: DeliveryResponse) =>
  "reason" in answer ? `${answer.type}: ${answer.reason}` : answer.type
