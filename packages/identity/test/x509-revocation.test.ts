import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { judgeChain, type RevocationOptions, revocationLists } from "@conclave/identity/x509"
import {
  at,
  authority,
  basicConstraints,
  crlNumber,
  email,
  extension,
  issue,
  issueList,
  keyUsage,
  rawKey,
  sequence,
  type WantedList,
} from "./x509-issuer.js"

const root = authority("root")
const middle = authority("middle", { issuer: root, serial: 7 })
const alice = issue({ issuer: middle, names: [email("alice@example.org")], serial: 9 })
const ofRoot = issueList({ issuer: root })

async function judge(lists: readonly Uint8Array[], options: Partial<RevocationOptions> = {}): Promise<string> {
  const isRevoked = revocationLists(lists, { at, ...options })
  const judgement = await judgeChain([alice.der, middle.der], rawKey(alice), { roots: [root.der], at, isRevoked })
  return judgement.valid ? "valid" : judgement.fault
}
const judgeList = (wanted: Partial<WantedList>) => judge([ofRoot, issueList({ issuer: middle, ...wanted })])

describe("revocation lists (RFC 5280 §6.3)", () => {
  test("refuse what they name, leaf or intermediate, and nothing else", async () => {
    assert.equal(await judgeList({}), "valid")
    assert.equal(await judgeList({ revoked: [8, 10] }), "valid")
    assert.equal(await judgeList({ revoked: [8, 9] }), "revoked")
    assert.equal(await judge([issueList({ issuer: root, revoked: [7] }), issueList({ issuer: middle })]), "revoked")
    // The same number under another issuer is another certificate.
    assert.equal(await judge([issueList({ issuer: root, revoked: [9] }), issueList({ issuer: middle })]), "valid")
  })

  test("are complete: an issuer without a list is unknown, unless lists are optional", async () => {
    assert.equal(await judge([ofRoot]), "revocation-unknown")
    assert.equal(await judge([ofRoot], { listsOptional: true }), "valid")
    assert.equal(await judge([issueList({ issuer: middle, revoked: [9] })], { listsOptional: true }), "revoked")
  })

  test("are of no use before and after their time", async () => {
    assert.equal(await judgeList({ from: -3, to: -1 }), "revocation-unknown")
    assert.equal(await judgeList({ from: 1, to: 3 }), "revocation-unknown")
    const optional = { listsOptional: true }
    const old = issueList({ issuer: middle, from: -3, to: -1 })
    assert.equal(await judge([ofRoot, old], optional), "revocation-unknown")
  })

  test("are signed by the issuer, whose key may sign lists", async () => {
    assert.equal(await judgeList({ issuer: authority("middle") }), "revocation-unknown")
    const extensions = [basicConstraints(), keyUsage(5)]
    const noLists = issue({ name: "root", keys: root.keys, extensions })
    const isRevoked = revocationLists([ofRoot, issueList({ issuer: middle })], { at })
    const options = { roots: [noLists.der], at, isRevoked }
    assert.deepEqual(await judgeChain([alice.der, middle.der], rawKey(alice), options), {
      valid: false,
      fault: "revocation-unknown",
    })
  })

  test("that say what is not processed are refused: no number, critical extensions, distribution points, deltas", () => {
    const distributionPoint = extension("2.5.29.28", sequence())
    const delta = extension("2.5.29.27", Uint8Array.of(2, 1, 1))
    for (const extensions of [[], [crlNumber(true)], [crlNumber(), distributionPoint], [crlNumber(), delta]]) {
      assert.throws(() => revocationLists([issueList({ issuer: middle, extensions })], { at }), { fault: "malformed" })
    }
    assert.throws(() => revocationLists([ofRoot.subarray(1)], { at }), { fault: "malformed" })
  })
})
