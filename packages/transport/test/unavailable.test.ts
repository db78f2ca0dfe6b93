import assert from "node:assert/strict"
import { it } from "node:test"
import { unavailableAnswer } from "../src/index.js"

const ofStore = (reason: string, retryAfterMilliseconds?: number) =>
  Object.assign(new Error(reason), { code: "STORE_UNAVAILABLE", retryAfterMilliseconds })

it("a store that cannot answer says why and from when on, and nobody comes back before", () => {
  for (const byte of [0, 128, 255]) {
    const answer = unavailableAnswer(ofStore("the disk is full", 30_000), (length) => new Uint8Array(length).fill(byte))
    assert.equal(answer.reason, "the disk is full")
    assert.equal(answer.retryAfterMilliseconds, Math.round(30_000 * (1 + byte / 510)))
  }
})

it("any other error tells nothing of itself", () => {
  for (const error of [new TypeError("password = hunter2"), "text", undefined, ofStore("no time", Number.NaN)]) {
    const { reason, retryAfterMilliseconds } = unavailableAnswer(error, (length) => new Uint8Array(length))
    assert.equal(reason, reason === "no time" ? "no time" : "the service failed")
    assert.equal(retryAfterMilliseconds, 5_000)
  }
})
