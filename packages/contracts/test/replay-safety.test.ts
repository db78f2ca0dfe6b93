import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { ReplaySafe, Transport } from "@conclave/transport"
import { noAccess } from "../src/access.js"
import { type DeliveryRequest, DeliveryRequestKind, deliveryRequests } from "../src/delivery.js"

const id = new Uint8Array(32).fill(1)

describe("requests that may be repeated by the network", () => {
  it("are those of which the table says so, whether they are encoded here or come from outside", () => {
    const head = deliveryRequests.encode({ type: "head", groupId: id, access: noAccess })
    const claim = deliveryRequests.encode({ type: "claimKeyPackage", deviceId: id, cipherSuite: 1 })
    assert.equal(deliveryRequests.isReplaySafe(head), true)
    assert.equal(deliveryRequests.isReplaySafe(claim), false)
  })

  it("are none whose kind is missing or unknown", () => {
    const version = 0x80 | deliveryRequests.version
    assert.equal(deliveryRequests.isReplaySafe(Uint8Array.of(version, DeliveryRequestKind.values.head)), true)
    for (const bytes of [[], [0], [12], [255], [99, 1, 2], [version], [version, 0], [version, 255]]) {
      assert.equal(deliveryRequests.isReplaySafe(Uint8Array.from(bytes)), false, bytes.join())
    }
  })

  it("have a reason each", () => {
    const { replaySafety } = deliveryRequests
    assert.deepEqual(Object.keys(replaySafety).sort(), Object.keys(DeliveryRequestKind.values).sort())
    for (const [kind, { because }] of Object.entries(replaySafety)) assert.ok(because.length > 10, kind)
  })

  it("are the only ones that the compiler lets into a first packet", () => {
    // Never called: what is tested is that each marked line is an error.
    const asks = (transport: Transport, request: DeliveryRequest, stored: Uint8Array) => {
      void transport.request(deliveryRequests.encode({ type: "head", groupId: id, access: noAccess }), {
        replaySafe: true,
      })
      if (deliveryRequests.isReplaySafe(stored)) void transport.request(stored, { replaySafe: true })
      const claim = deliveryRequests.encode({ type: "claimKeyPackage", deviceId: id, cipherSuite: 1 })
      // @ts-expect-error a claim is not safe to repeat
      void transport.request(claim, { replaySafe: true })
      // @ts-expect-error a request of any kind may be a claim
      void transport.request(deliveryRequests.encode(request), { replaySafe: true })
      // @ts-expect-error bytes are not safe before the contract has looked at them
      void transport.request(stored, { replaySafe: true })
      // @ts-expect-error nor is a stream
      void transport.subscribe(stored, { replaySafe: true })
      // @ts-expect-error the type is made by the contract alone
      const forged: ReplaySafe = stored
      void transport.request(claim)
      return forged
    }
    assert.equal(typeof asks, "function")
  })
})
