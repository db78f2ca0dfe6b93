import type { CryptoProvider } from "@conclave/crypto"
import { nodeProvider } from "@conclave/crypto/node"
import { type CipherSuite, cipherSuite } from "../../src/suite/suite.js"
import type { Suites } from "./vector.js"

export function suitesOf(provider: CryptoProvider): Suites {
  const made = new Map<number, CipherSuite>()
  return (number) => {
    const suite = made.get(number) ?? cipherSuite(number, provider)
    made.set(number, suite)
    return suite
  }
}

/** All seven, with the provider of Node. */
export const everySuite = suitesOf(nodeProvider())
