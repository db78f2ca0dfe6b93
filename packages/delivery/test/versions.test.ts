import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { decode } from "@conclave/codec"
import { noAccess } from "@conclave/contracts/access"
import { DeliveryResponse, deliveryRequests } from "@conclave/contracts/delivery"
import { createDevice, createService, expectType, NOW, proved, random, sha256 } from "@conclave/testing/delivery"
import { memoryStore } from "../src/index.js"

/** As the SDK of version 1 sent them, which had no version byte. */
const recorded: Readonly<Record<string, string>> = {
  head: `0720${"11".repeat(32)}`,
  append: `0520${"11".repeat(32)}10${"22".repeat(16)}010000000000000003040001000200`,
  claimKeyPackage: `0220${"11".repeat(32)}0001`,
  subscribe: `0b2920${"11".repeat(32)}0000000000000007000000000000000000`,
}

describe("the version of a request", () => {
  it("is its first byte, with the highest bit set", () => {
    const groupId = new Uint8Array(32).fill(0x11)
    const bytes = deliveryRequests.encode({ type: "head", groupId, access: noAccess })
    assert.equal(Buffer.from(bytes).toString("hex"), `83${recorded.head}00`)
  })

  for (const [name, hex] of Object.entries(recorded)) {
    it(`is 1 without such a byte: ${name} gets the "invalid" of version 1, which says to update`, async () => {
      const { askBytes } = createService(memoryStore(sha256))
      const answer = Buffer.from(await askBytes(Buffer.from(hex, "hex")))
      // Version 1: the kind `invalid` is 13, its reason follows with its length in one byte.
      const reason = answer.subarray(2).toString()
      assert.deepEqual([answer[0], answer[1], reason.length], [13, answer.length - 2, answer.length - 2])
      assert.match(reason, /update/)
    })
  }

  it("that is not spoken gets the versions that are", async () => {
    const { askBytes } = createService(memoryStore(sha256))
    for (const first of [0x80, 0x81, 0x82, 0x84, 0xff]) {
      const answer = decode(DeliveryResponse, await askBytes(Uint8Array.of(first, 7, 0)))
      assert.deepEqual(answer, { type: "update", oldest: 3, newest: 3 }, `${first}`)
    }
  })

  it("is covered by a device's proof", async () => {
    const service = createService(memoryStore(sha256))
    const bob = service.register(createDevice())
    const inbox = { type: "inbox", after: 0n, limit: 10 } as const
    expectType(await service.ask(proved(bob, inbox)), "inboxEntries")
    expectType(await service.ask(proved(bob, inbox, NOW, (encoded) => encoded.subarray(1))), "forbidden")
  })

  it("does not make a request replay-safe that is of another version", () => {
    const head = deliveryRequests.encode({ type: "head", groupId: random(32), access: noAccess }) as Uint8Array
    assert.equal(deliveryRequests.isReplaySafe(head), true)
    assert.equal(deliveryRequests.isReplaySafe(head.subarray(1)), false)
    assert.equal(deliveryRequests.isReplaySafe(Uint8Array.of(0x82, ...head.subarray(1))), false)
  })
})
