import assert from "node:assert/strict"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { after, test } from "node:test"
import { fileURLToPath } from "node:url"
import { nodeProvider } from "@conclave/crypto/node"
import { portableProvider } from "@conclave/crypto/portable"
import * as cryptoBasics from "./vectors/crypto-basics.js"
import * as deserialization from "./vectors/deserialization.js"
import * as keySchedule from "./vectors/key-schedule.js"
import * as messageProtection from "./vectors/message-protection.js"
import * as messages from "./vectors/messages.js"
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
}
const total = Object.values(kinds).reduce((sum, kind) => sum + kind.cases, 0)

const beside = fileURLToPath(new URL("../../../../../shared/vectors/mls", import.meta.url))
const folder = process.env.CONCLAVE_VECTORS ?? beside

if (existsSync(folder)) {
  const passed: string[] = []
  for (const [name, { cases, verify }] of Object.entries(kinds)) {
    test(`all ${cases} official vectors of ${name} hold`, () => {
      const vectors = load(name)
      assert.equal(vectors.length, cases)
      verifyAll(vectors, (vector) => verify(vector, everySuite))
      passed.push(`${String(cases).padStart(5)}  ${name}`)
    })
  }
  after(() => {
    const count = passed.reduce((sum, line) => sum + Number.parseInt(line, 10), 0)
    console.log(["Official vectors that hold:", ...passed, `${String(count).padStart(5)}  of ${total}`].join("\n"))
  })
  for (const provider of [nodeProvider({ accelerate: false }), portableProvider()]) {
    test(`the official vectors of crypto-basics hold with the provider ${provider.name}`, () => {
      verifyAll(load("crypto-basics"), (vector) => cryptoBasics.verify(vector, suitesOf(provider)))
    })
  }
} else {
  const reason =
    `${total} official vectors are left out: no folder ${process.env.CONCLAVE_VECTORS ?? "../shared/vectors/mls"}. ` +
    "Clone github.com/mlswg/mls-implementations and set CONCLAVE_VECTORS to its folder test-vectors."
  test("the official vectors hold", process.env.CONCLAVE_VECTORS_REQUIRED === "1" ? {} : { skip: reason }, () => {
    assert.fail(reason)
  })
  console.log(reason)
}

function load(name: string): any[] {
  return JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8"))
}

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
