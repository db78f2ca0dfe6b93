import assert from "node:assert/strict"
import { after, test } from "node:test"
import { nodeProvider } from "@conclave/crypto/node"
import { portableProvider } from "@conclave/crypto/portable"
import * as cryptoBasics from "./vectors/crypto-basics.js"
import * as deserialization from "./vectors/deserialization.js"
import * as keySchedule from "./vectors/key-schedule.js"
import * as messageProtection from "./vectors/message-protection.js"
import * as messages from "./vectors/messages.js"
import { leftOut, load, officialVectors } from "./vectors/official.js"
import * as passiveClient from "./vectors/passive-client.js"
import * as pskSecret from "./vectors/psk-secret.js"
import * as secretTree from "./vectors/secret-tree.js"
import { everySuite, suitesOf } from "./vectors/suites.js"
import * as transcriptHashes from "./vectors/transcript-hashes.js"
import * as treeMath from "./vectors/tree-math.js"
import * as treeOperations from "./vectors/tree-operations.js"
import * as treeValidation from "./vectors/tree-validation.js"
import * as treekem from "./vectors/treekem.js"
import type { Suites } from "./vectors/vector.js"
import * as welcome from "./vectors/welcome.js"

interface Kind {
  /** How many cases the official file has: a shorter one is not the official one. */
  readonly cases: number
  verify(vector: any, suites: Suites): void
}

/** The official vectors, by file, in the order of the layers that they prove. */
const kinds: Readonly<Record<string, Kind>> = {
  "tree-math": { cases: 10, verify: treeMath.verify },
  deserialization: { cases: 14, verify: deserialization.verify },
  messages: { cases: 300, verify: messages.verify },
  "crypto-basics": { cases: 7, verify: cryptoBasics.verify },
  "tree-operations": { cases: 5, verify: treeOperations.verify },
  "tree-validation": { cases: 98, verify: treeValidation.verify },
  treekem: { cases: 77, verify: treekem.verify },
  "key-schedule": { cases: 7, verify: keySchedule.verify },
  psk_secret: { cases: 77, verify: pskSecret.verify },
  "transcript-hashes": { cases: 7, verify: transcriptHashes.verify },
  "secret-tree": { cases: 21, verify: secretTree.verify },
  "message-protection": { cases: 7, verify: messageProtection.verify },
  welcome: { cases: 7, verify: welcome.verify },
  "passive-client-welcome": { cases: 56, verify: passiveClient.verify },
  "passive-client-handling-commit": { cases: 91, verify: passiveClient.verify },
  "passive-client-random": { cases: 1, verify: passiveClient.verify },
}
const total = Object.values(kinds).reduce((sum, kind) => sum + kind.cases, 0)
const held = new Map<string, number>()

for (const [name, { cases, verify }] of Object.entries(kinds)) {
  test(`all ${cases} official vectors of ${name} hold`, officialVectors, () => {
    const vectors = load(name)
    assert.equal(vectors.length, cases)
    verifyAll(vectors, (vector) => verify(vector, everySuite))
    held.set(name, cases)
  })
}

for (const provider of [nodeProvider({ accelerate: false }), portableProvider()]) {
  test(`the official vectors of crypto-basics hold with the provider ${provider.name}`, officialVectors, () => {
    verifyAll(load("crypto-basics"), (vector) => cryptoBasics.verify(vector, suitesOf(provider)))
  })
}

for (const name of ["passive-client-handling-commit", "passive-client-random"]) {
  test(`a client that is stored and read again between any two messages follows ${name} too`, officialVectors, () => {
    verifyAll(load(name), (vector) => passiveClient.verifyStored(vector, everySuite))
  })
}

for (const name of ["passive-client-welcome", "passive-client-handling-commit", "passive-client-random"]) {
  test(`a client that is interrupted as often as may be follows ${name} too`, officialVectors, () => {
    let interruptions = 0
    verifyAll(load(name), (vector) => {
      interruptions += passiveClient.verifyInterrupted(vector, everySuite)
    })
    assert.ok(interruptions > 100, `only ${interruptions} interruptions`)
  })
}

after(() => {
  if (leftOut !== undefined) console.log(`${total} cases of the official vectors are left out: ${leftOut}`)
  if (held.size === 0) return
  const line = (count: number, of: string) => `${String(count).padStart(5)}  ${of}`
  const sum = [...held.values()].reduce((sum, cases) => sum + cases, 0)
  const lines = [...held].map(([name, cases]) => line(cases, name))
  console.log(["Official vectors that hold:", ...lines, line(sum, `of ${total}`)].join("\n"))
})

/** Every case is looked at, so that a failure tells which ones fail and which don't. */
function verifyAll(vectors: readonly any[], verify: (vector: any) => void): void {
  const failures: string[] = []
  vectors.forEach((vector, i) => {
    try {
      verify(vector)
    } catch (error) {
      const suite = vector.cipher_suite
      failures.push(`case ${i}${suite === undefined ? "" : ` (suite ${suite})`}: ${(error as Error).stack}`)
    }
  })
  const [first] = failures
  if (first !== undefined) assert.fail(`${failures.length} of ${vectors.length} fail; the first is ${first}`)
}
