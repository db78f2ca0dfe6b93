import { expandWithLabel, KEPT_CONTEXT_MAX, labelledBlock } from "./labels.js"
import type { CipherSuite } from "./suite.js"

/** How long a derived secret is: `suite.secretSize`, `aead.keySize` or `aead.nonceSize`. */
type Kind = "secret" | "key" | "nonce"

/** A label, and a context of its own where it does not have that of all. */
type Derived = readonly [label: string, kind: Kind, context?: Uint8Array]

/**
 * RFC 9420 §8: several secrets that follow from one by ExpandWithLabel. A provider that can derives them in one call: what stands
 * before the contexts is put together once for each suite's sizes.
 */
export class Derivations<const T extends readonly Derived[]> {
  readonly #derived: T
  readonly #prepared = new Map<number, Prepared>()

  constructor(...derived: T) {
    this.#derived = derived
  }

  /** `secret`: of `suite.secretSize` bytes. `context` is no secret. The secrets that are returned belong to the caller. */
  from(suite: CipherSuite, secret: Uint8Array, context: Uint8Array = NOTHING): { readonly [K in keyof T]: Uint8Array } {
    return this.#from(suite, secret, context) as { readonly [K in keyof T]: Uint8Array }
  }

  #from(suite: CipherSuite, secret: Uint8Array, context: Uint8Array): readonly Uint8Array[] {
    const { hash } = suite
    if (hash.hmacAll === undefined || context.length > KEPT_CONTEXT_MAX) {
      return this.#derived.map(([label, kind, own]) =>
        expandWithLabel(suite, secret, label, own ?? context, sizeOf(suite, kind)),
      )
    }
    const { texts, contextsAt, lengths } = this.#preparedFor(suite, context.length)
    for (let i = 0; i < contextsAt.length; i++) texts.set(context, contextsAt[i]!)
    return hash.hmacAll(secret, texts, lengths)
  }

  #preparedFor(suite: CipherSuite, contextSize: number): Prepared {
    const { keySize, nonceSize } = suite.aead
    const sizes = ((suite.secretSize * 256 + keySize) * 256 + nonceSize) * 256 + contextSize
    const known = this.#prepared.get(sizes)
    if (known !== undefined) return known
    const prepared = prepare(suite, this.#derived, contextSize)
    this.#prepared.set(sizes, prepared)
    return prepared
  }
}

interface Prepared {
  /** HKDF-Expand's inputs, each after its length in four bytes. */
  readonly texts: Uint8Array
  readonly contextsAt: readonly number[]
  readonly lengths: readonly number[]
}

function prepare(suite: CipherSuite, derived: readonly Derived[], contextSize: number): Prepared {
  const lengths = derived.map(([, kind]) => sizeOf(suite, kind))
  const blocks = derived.map(([label, , own], i) =>
    labelledBlock(label, own ?? new Uint8Array(contextSize), lengths[i]!),
  )
  const texts = new Uint8Array(blocks.reduce((sum, block) => sum + 4 + block.length, 0))
  const view = new DataView(texts.buffer)
  const contextsAt: number[] = []
  let at = 0
  for (const [i, block] of blocks.entries()) {
    view.setUint32(at, block.length)
    texts.set(block, at + 4)
    at += 4 + block.length
    // The block's number stands behind the context.
    if (contextSize > 0 && derived[i]![2] === undefined) contextsAt.push(at - 1 - contextSize)
  }
  return { texts, contextsAt, lengths }
}

function sizeOf({ secretSize, aead }: CipherSuite, kind: Kind): number {
  return kind === "secret" ? secretSize : kind === "key" ? aead.keySize : aead.nonceSize
}

const NOTHING = new Uint8Array(0)

/** What encrypts something once: RFC 9420 §6.3.2, §9, §12.4.3.1. */
export const KEY_AND_NONCE = new Derivations(["key", "key"], ["nonce", "nonce"])
