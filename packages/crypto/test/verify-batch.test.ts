import assert from "node:assert/strict"
import { test } from "node:test"
import type { SignatureName } from "@conclave/crypto"
import { nodeProvider, verifyBatch } from "@conclave/crypto/node"
import { verifyBatch as verifyBatchInBrowser, webProvider } from "@conclave/crypto/web"

const provider = nodeProvider()
const web = await webProvider()

function signed(scheme: SignatureName, count: number) {
  const { generate } = provider.signatures[scheme]!
  const keys = Array.from({ length: 7 }, () => generate(provider.random))
  return Array.from({ length: count }, (_, i) => {
    const key = keys[i % keys.length]!
    const message = provider.random(i % 300)
    return { publicKey: key.publicKey, message, signature: key.sign(message) }
  })
}

/** `Array.prototype.with` for the library of ES2022 types. */
function replaced<T>(list: readonly T[], at: number, item: T): T[] {
  const copy = [...list]
  copy[at] = item
  return copy
}

const ways = {
  here: (scheme: SignatureName, list: ReturnType<typeof signed>) => verifyBatch(scheme, list, { threads: 0 }),
  "on two threads": (scheme: SignatureName, list: ReturnType<typeof signed>) =>
    verifyBatch(scheme, list, { threads: 2 }),
  "while the caller waits": async (scheme: SignatureName, list: ReturnType<typeof signed>) => {
    const { verifyAll, verify } = provider.signatures[scheme]!
    return verifyAll ? verifyAll(list) : list.every((it) => verify(it.publicKey, it.message, it.signature))
  },
  "as a browser does": (scheme: SignatureName, list: ReturnType<typeof signed>) =>
    verifyBatchInBrowser(web, scheme, list),
}

for (const [where, verify] of Object.entries(ways)) {
  test(`${where}: valid signatures are found valid, and one wrong one among a thousand is found`, async () => {
    const list = signed("Ed25519", 1200)
    assert.equal(await verify("Ed25519", list), true)
    for (const position of [0, 599, 600, 1199]) {
      const wrong = replaced(list, position, { ...list[position]!, signature: list[(position + 1) % 1200]!.signature })
      assert.equal(await verify("Ed25519", wrong), false, `at ${position}`)
    }
    const empty = replaced(list, 5, { ...list[5]!, publicKey: new Uint8Array(0), signature: new Uint8Array(0) })
    assert.equal(await verify("Ed25519", empty), false)
  })

  test(`${where}: of no signatures all are valid`, async () => assert.equal(await verify("Ed25519", []), true))
}

test("other schemes are verified too", async () => {
  const list = signed("ECDSA-P-256-SHA-256", 1001)
  assert.equal(await verifyBatch("ECDSA-P-256-SHA-256", list), true)
  assert.equal(await verifyBatchInBrowser(web, "ECDSA-P-256-SHA-256", list.slice(0, 5)), true)
  const wrong = replaced(list, 1000, { ...list[0]!, message: new Uint8Array(1) })
  assert.equal(await verifyBatch("ECDSA-P-256-SHA-256", wrong), false)
})

test("the calling thread is free while others verify", async () => {
  const list = signed("Ed25519", 3000)
  let turns = 0
  const timer = setInterval(() => turns++, 1)
  await verifyBatch("Ed25519", list, { threads: 1 })
  clearInterval(timer)
  assert(turns > 10, `${turns} turns`)
})
