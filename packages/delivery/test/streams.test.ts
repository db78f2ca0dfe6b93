import assert from "node:assert/strict"
import { join } from "node:path"
import { describe, it } from "node:test"
import { decode } from "@conclave/codec"
import { DeliveryResponse, deliveryRequests } from "@conclave/contracts/delivery"
import { listen } from "@conclave/server"
import { deliveryStore, openDatabase } from "@conclave/sqlite"
import {
  createGroup,
  createService,
  expectType,
  messageRequest,
  sha256,
  temporaryFolder,
  withAccess,
} from "@conclave/testing/delivery"
import { connect } from "@conclave/transport/node"

const subscribe = (cursors: readonly { groupId: Uint8Array; afterSeq: bigint }[]) =>
  deliveryRequests.encode(withAccess({ type: "subscribe", cursors, inboxAfter: 0n, proof: undefined }))

/** A stream begins with the subscription's id and passes. */
function entriesIn(bytes: Uint8Array) {
  const response = decode(DeliveryResponse, bytes)
  return response.type === "subscribed" || response.type === "passes" ? [] : expectType(response, "entries").entries
}

describe("a subscription over a real socket", { timeout: 60_000 }, () => {
  it("whose reader is slow makes the service read no more of the log than the line may hold, then brings it all", async (test) => {
    const store = deliveryStore(openDatabase({ file: join(temporaryFolder(test), "slow.db") }), sha256)
    let bytesRead = 0
    const counting: typeof store = {
      ...store,
      async read(page) {
        const read = await store.read(page)
        for (const entry of read.type === "page" ? read.entries : []) bytesRead += entry.body.length
        return read
      },
    }
    const limits = { pageSizeMax: 64 * 1024, appends: { perSecond: 1e6, burst: 1e6 } }
    const service = createService(counting, { limits })
    const groupId = await createGroup(service)
    // 12 MB in all, twenty times what socket and stream may hold.
    const sent = 120
    for (let i = 0; i < sent; i++)
      expectType(await service.ask(messageRequest(groupId, 0n, { size: 100_000 })), "accepted")
    await using listener = await listen({ services: { delivery: service.handler } })
    await using transport = connect(new URL("delivery", listener.url), { creditBytes: 256 * 1024 })
    const request = subscribe([{ groupId, afterSeq: 0n }])
    let seq = 0n
    for await (const bytes of transport.subscribe(request)) {
      for (const entry of entriesIn(bytes)) assert.equal(entry.seq, ++seq)
      if (seq === 1n) {
        await new Promise((resolve) => setTimeout(resolve, 300))
        // One taken, 256 KiB of credit, and the one that overdrew it.
        assert.ok(bytesRead <= 600_000, `the service read ${bytesRead} bytes for a reader that took one entry`)
      }
      if (seq === BigInt(sent)) break
    }
    assert.equal(seq, BigInt(sent))
    await listener.close()
    await store[Symbol.asyncDispose]()
  })

  it("of many readers, each gets every entry once and in order while others append over HTTP", async (test) => {
    const store = deliveryStore(openDatabase({ file: join(temporaryFolder(test), "many.db") }), sha256)
    const service = createService(store)
    const groupId = await createGroup(service)
    await using listener = await listen({ services: { delivery: service.handler } })
    const url = new URL("delivery", listener.url)
    const readers = Array.from({ length: 10 }, async () => {
      await using transport = connect(url)
      const request = subscribe([{ groupId, afterSeq: 0n }])
      const bodies: Uint8Array[] = []
      for await (const bytes of transport.subscribe(request)) {
        bodies.push(...entriesIn(bytes).map((entry) => entry.body))
        if (bodies.length >= 100) return bodies
      }
      throw new Error("the stream ended")
    })
    await using sender = connect(url)
    await Promise.all(
      Array.from({ length: 100 }, async () => {
        const request = deliveryRequests.encode(withAccess(messageRequest(groupId, 0n)))
        expectType(decode(DeliveryResponse, await sender.request(request)), "accepted")
      }),
    )
    const [first, ...others] = await Promise.all(readers)
    assert.equal(first!.length, 100)
    for (const other of others) assert.deepEqual(other, first)
    await listener.close()
    await store[Symbol.asyncDispose]()
  })
})
