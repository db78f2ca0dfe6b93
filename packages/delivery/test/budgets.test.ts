import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { createGroup, createService, expectType, messageRequest, NOW } from "@conclave/testing/delivery"
import { RateLimiter } from "@conclave/transport"
import fc from "fast-check"
import { afterTaking, budgetWait, placesOf } from "../src/budgets.js"
import { stores } from "./stores.js"

const rate = { perSecond: 4, burst: 3 }

describe("a budget that is one number", () => {
  it("waits and gives as a bucket of tokens of the same rate does", () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 2_000 }), { maxLength: 60 }), (pauses) => {
        const bucket = new RateLimiter(rate)
        let [now, fullAt] = [NOW, 0]
        for (const pause of pauses) {
          now += pause
          const wait = budgetWait({ rate, fullAt }, now)
          // The last bits of sums of fractions may differ.
          assert.ok(Math.abs((bucket.take("k", now) ?? 0) - (wait ?? 0)) <= 1)
          if (wait === undefined) fullAt = afterTaking({ rate, fullAt }, now)
        }
      }),
    )
  })

  it("begins anew where the clock was set back by more than it takes to fill it", () => {
    let fullAt = 0
    for (let taken = 0; taken < 3; taken++) fullAt = afterTaking({ rate, fullAt }, NOW)
    assert.equal(placesOf({ rate, fullAt }, NOW), 0)
    assert.equal(budgetWait({ rate, fullAt }, NOW), 250)
    assert.equal(placesOf({ rate, fullAt }, NOW - 1), 3)
    assert.equal(afterTaking({ rate, fullAt }, NOW - 1), NOW + 249)
  })
})

describe("the budget of a group", () => {
  for (const [name, open] of Object.entries(stores)) {
    it(`is the same for all services of one store, and for one that starts anew (${name})`, async (test) => {
      const store = open(test)
      const limits = { appends: { perSecond: 1, burst: 3 } }
      const [first, second] = [createService(store, { limits }), createService(store, { limits })]
      const groupId = await createGroup(first)
      for (const service of [first, second, first]) {
        expectType(await service.ask(messageRequest(groupId, 0n)), "accepted")
      }
      for (const service of [second, first, createService(store, { limits })]) {
        expectType(await service.ask(messageRequest(groupId, 0n)), "throttled")
      }
      second.clock.now += 1_000
      expectType(await second.ask(messageRequest(groupId, 0n)), "accepted")
      expectType(await second.ask(messageRequest(groupId, 0n)), "throttled")
    })
  }
})
