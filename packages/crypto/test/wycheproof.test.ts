import assert from "node:assert/strict"
import { test } from "node:test"
import { noNative, providers } from "./support.js"
import { agreements, agreementsOfP521, casesOf, noVectors, signatures, symmetric, testFiles } from "./wycheproof.js"

const options = noVectors === undefined ? {} : { skip: noVectors }

testFiles(symmetric)

test("every case that applies is asked", () => {
  const files = Object.values({ ...agreements, ...agreementsOfP521, ...signatures, ...symmetric })
  assert.equal(files.length, 18)
  const cases = files.reduce((sum, { cases }) => sum + cases, 0)
  assert.equal(cases, 5834)
})

test("the cases ask every provider, and a wrong answer would be noticed", options, () => {
  const names = ["node+sodium-native", "node", "web", "portable"]
  assert.deepEqual(
    providers.map(({ name }) => name).sort(),
    [...names, ...(noNative === undefined ? ["node+native"] : [])].sort(),
  )
  const [real] = providers
  const credulous = { ...real!, signatures: { Ed25519: { ...real!.signatures.Ed25519!, verify: () => true } } }
  const verdicts = casesOf("ed25519").map(
    ({ test: it, group }) => signatures.ed25519!.asking.ask(credulous, it, group).isRight,
  )
  assert(verdicts.includes(true) && verdicts.includes(false))
})
