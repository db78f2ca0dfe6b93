import type { CryptoProvider } from "@conclave/crypto"
import {
  cipherSuite,
  createKeyPackage,
  dangerouslyAcceptAll,
  decodeKeyPackageBundle,
  Group,
  type GroupOptions,
  type KeyPackageBundle,
  type SignatureToVerify,
} from "@conclave/mls"

/** A Welcome into a full tree, and who is welcomed: made once, and entered in every runtime. Base64. */
export interface Invitation {
  /** Of curve 25519: 1 or 3. */
  readonly suite: number
  readonly welcome: string
  readonly bundle: string
  readonly signatureKey: string
  /** Unix seconds. */
  readonly now: number
}

/** Milliseconds. */
export interface Figures {
  readonly encrypt: number
  readonly decrypt: number
  readonly join: number
  /** With the leaves' signatures verified beside, many at a time. */
  readonly joinBatch: number | undefined
}

export type VerifyMany = (signatures: readonly SignatureToVerify[]) => Promise<boolean>

/** The same work in a browser and in Node: two members who talk, and somebody who joins a large group. */
export class Workload {
  readonly #provider: CryptoProvider
  readonly #verifyMany: VerifyMany | undefined
  readonly #talk: readonly [Group, Group]
  readonly #plaintext: Uint8Array
  readonly #joinOptions: Parameters<typeof Group.stageJoin>[0]

  constructor(provider: CryptoProvider, invitation: Invitation, verifyMany?: VerifyMany) {
    this.#provider = provider
    this.#verifyMany = verifyMany
    const options = memberOptions(provider, invitation, fromBase64(invitation.signatureKey))
    this.#talk = talk(provider, invitation)
    this.#plaintext = provider.random(1024)
    const keyPackages = [decodeKeyPackageBundle(fromBase64(invitation.bundle))]
    this.#joinOptions = { ...options, welcome: fromBase64(invitation.welcome), keyPackages }
  }

  /** `messages` each way of the two who talk, and one join: short enough that others can have their turn in between. */
  async round(messages: number): Promise<Figures> {
    return { ...this.#say(messages), join: this.#join(), joinBatch: await this.#joinBatch() }
  }

  #say(messages: number): Pick<Figures, "encrypt" | "decrypt"> {
    const [alice, bob] = this.#talk
    const start = performance.now()
    const said = Array.from({ length: messages }, () => alice.encrypt(this.#plaintext))
    const sent = performance.now()
    for (const message of said) if (bob.receive(message).type !== "application") throw new Error("not understood")
    return { encrypt: (sent - start) / messages, decrypt: (performance.now() - sent) / messages }
  }

  #join(): number {
    const start = performance.now()
    const staged = Group.stageJoin(this.#joinOptions)
    staged.accept(dangerouslyAcceptAll(staged.claims))
    return performance.now() - start
  }

  async #joinBatch(): Promise<number | undefined> {
    if (this.#verifyMany === undefined) return undefined
    const start = performance.now()
    const prepared = Group.prepareJoin(this.#joinOptions)
    if (!(await this.#verifyMany(prepared.signatures()))) throw new Error(`${this.#provider.name} refuses a signature`)
    const staged = prepared.stage({ signaturesVerified: true })
    staged.accept(dangerouslyAcceptAll(staged.claims))
    return performance.now() - start
  }
}

function talk(provider: CryptoProvider, terms: Terms): [Group, Group] {
  const [alice, bob] = [memberOptions(provider, terms), memberOptions(provider, terms)]
  const group = Group.create({ ...alice, groupId: provider.random(32) })
  const bundle = keyPackageOf(bob)
  const commit = group.commit({ add: [bundle.keyPackage] })
  group.apply(commit, dangerouslyAcceptAll(commit.claims))
  const staged = Group.stageJoin({ ...bob, welcome: commit.welcome!, keyPackages: [bundle] })
  return [group, staged.accept(dangerouslyAcceptAll(staged.claims))]
}

type Terms = Pick<Invitation, "suite" | "now">

export function memberOptions(provider: CryptoProvider, terms: Terms, signatureKey?: Uint8Array): GroupOptions {
  const suite = cipherSuite(terms.suite, provider)
  const key = signatureKey ? suite.signature.importKey(signatureKey) : suite.signature.generate(provider.random)
  const identity = new TextEncoder().encode("somebody")
  return { suite, signer: { credential: { type: "basic", identity }, key }, now: () => BigInt(terms.now) }
}

export function keyPackageOf({ suite, signer, now }: GroupOptions): KeyPackageBundle {
  return createKeyPackage({ suite, signer, lifetime: { notBefore: now() - 3600n, notAfter: now() + 86400n * 28n } })
}

export const fromBase64 = (text: string): Uint8Array => Uint8Array.from(atob(text), (it) => it.charCodeAt(0))
