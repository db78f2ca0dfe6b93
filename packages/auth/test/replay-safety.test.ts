import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { decode } from "@conclave/codec"
import { type AuthRequest, AuthRequestKind, AuthResponse, authRequests } from "@conclave/contracts/auth"
import { createDevice, createService, crypto, NOW, registration } from "@conclave/testing/auth"
import { authenticationService, memoryStore } from "../src/index.js"

describe("requests to the directory that may be repeated by the network", () => {
  it("have a reason each, and registrations are not among them", () => {
    const { replaySafety } = authRequests
    assert.deepEqual(Object.keys(replaySafety).sort(), Object.keys(AuthRequestKind.values).sort())
    for (const [kind, { because }] of Object.entries(replaySafety)) assert.ok(because.length > 10, kind)
    assert.equal(authRequests.isReplaySafe(authRequests.encode({ type: "lookup", name: "alice" })), true)
    assert.equal(replaySafety.register.safe, false)
    assert.equal(replaySafety.revoke.safe, false)
  })

  it("are the only ones that are answered in a first packet", async () => {
    const store = memoryStore()
    const handler = authenticationService({ store, crypto, now: () => NOW })
    const early = async (request: AuthRequest) => {
      const context = { signal: new AbortController().signal, early: true }
      for await (const answer of handler(authRequests.encode(request), context)) return decode(AuthResponse, answer)
      throw new Error("the service gave no answer")
    }
    const register = registration(createDevice(), "alice")
    assert.equal((await early(register)).type, "invalid")
    assert.equal((await early({ type: "lookup", name: "alice" })).type, "notFound")
    assert.equal((await createService(store).ask(register)).type, "registered")
    assert.equal((await early({ type: "lookup", name: "alice" })).type, "devices")
  })
})
