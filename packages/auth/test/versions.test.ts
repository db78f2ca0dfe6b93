import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { decode } from "@conclave/codec"
import { AuthResponse, authRequests } from "@conclave/contracts/auth"
import { createService } from "@conclave/testing/auth"
import { memoryStore } from "../src/index.js"

/** As the SDK of version 1 sent them, which had no version byte. */
const recorded: Readonly<Record<string, string>> = {
  lookup: "0205616c696365",
  lookupDevice: `0320${"11".repeat(32)}`,
}

describe("the version of a request to the directory", () => {
  it("is its first byte, with the highest bit set", () => {
    const bytes = authRequests.encode({ type: "lookup", name: "alice" })
    assert.equal(Buffer.from(bytes).toString("hex"), `82${recorded.lookup}`)
  })

  for (const [name, hex] of Object.entries(recorded)) {
    it(`is 1 without such a byte: ${name} gets the "invalid" of version 1, which says to update`, async () => {
      const { askBytes } = createService(memoryStore())
      const answer = Buffer.from(await askBytes(Buffer.from(hex, "hex")))
      // Version 1: the kind `invalid` is 5, its reason follows with its length in one byte.
      const reason = answer.subarray(2).toString()
      assert.deepEqual([answer[0], answer[1], reason.length], [5, answer.length - 2, answer.length - 2])
      assert.match(reason, /update/)
    })
  }

  it("that is not spoken gets the versions that are", async () => {
    const { askBytes } = createService(memoryStore())
    for (const first of [0x80, 0x81, 0x83, 0xff]) {
      const answer = decode(AuthResponse, await askBytes(Uint8Array.of(first, 2, 0)))
      assert.deepEqual(answer, { type: "update", oldest: 2, newest: 2 }, `${first}`)
    }
  })

  it("is not there in a request without bytes", async () => {
    const { askBytes } = createService(memoryStore())
    assert.equal(decode(AuthResponse, await askBytes(new Uint8Array())).type, "invalid")
  })
})
