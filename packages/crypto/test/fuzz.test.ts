import assert from "node:assert/strict"
import { test } from "node:test"
import { nodeProvider } from "../src/node/provider.js"
import type { CryptoProvider } from "../src/provider.js"
import { contest } from "./fuzz/contest.js"
import { targets } from "./fuzz/targets.js"
import { providers } from "./support.js"

const ROUNDS = 12

for (const target of Object.keys(targets)) {
  test(`all providers say the same about ${ROUNDS} cases of ${target}`, () => {
    for (let round = 0; round < ROUNDS; round++) {
      assert.equal(contest(providers, { target, seed: `test ${round}` }).disagreement, undefined)
    }
  })
}

const real = nodeProvider()
const zeros = (length: number) => new Uint8Array(length)

/** What is wrong with one provider, and which target has to see it. */
const planted: Readonly<Record<string, CryptoProvider>> = {
  hash: { ...real, hashes: wrapped(real.hashes, (it) => ({ ...it, hmac: (_, ...parts) => it.digest(...parts) })) },
  seal: { ...real, aeads: wrapped(real.aeads, (it) => ({ ...it, seal: (_, __, text) => zeros(text.length + 16) })) },
  open: {
    ...real,
    aeads: wrapped(real.aeads, (it) => ({ ...it, open: (...given) => it.open(...given) ?? zeros(0) })),
  },
  agreement: {
    ...real,
    groups: wrapped(real.groups, (it) => ({ ...it, isPublicKey: (bytes) => bytes.length === it.publicKeySize })),
  },
  edwards: { ...real, signatures: wrapped(real.signatures, (it) => ({ ...it, verify: () => true })) },
  ecdsa: { ...real, signatures: wrapped(real.signatures, (it) => ({ ...it, verify: () => true })) },
}

for (const [target, wrong] of Object.entries(planted)) {
  test(`${target}: a provider that is wrong is noticed`, () => {
    const seen = Array.from({ length: 60 }, (_, round) =>
      contest([real, { ...wrong, name: "wrong" }], { target, seed: `planted ${round}` }),
    )
    assert(seen.some(({ disagreement }) => disagreement?.includes("wrong: ")))
  })
}

function wrapped<Name extends string, T extends object>(
  table: Readonly<Partial<Record<Name, T>>>,
  wrap: (it: T) => T,
): Record<Name, T> {
  const entries = Object.entries<T>(table as Record<Name, T>).map(([name, it]) => [name, wrap(it)])
  return Object.fromEntries(entries)
}
