import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { decode, encode } from "@conclave/codec"
import { AuthResponse } from "@conclave/contracts/auth"
import { type Transport, TransportError } from "@conclave/transport"
import { encodePayload, PAYLOAD_VERSION } from "../src/conversation/payload.js"
import { step } from "../src/conversation/step.js"
import { ConversationHandle } from "../src/device/handle.js"
import type { Client } from "../src/index.js"
import type { Wish } from "../src/records/records.js"
import { until } from "./support/counting.js"
import { tampered } from "./support/tampered.js"
import { provider, settle, World } from "./support/world.js"

const only = (client: Client) => [...client.conversations.values()][0]!

describe("a conversation that was halted", () => {
  it("is left with what waits unsent, also where only the log shows that the service has the request", async () => {
    await using world = new World({ inMemory: true })
    let requests = 0
    const delivery = tampered(world.transport("delivery"), async (request, pass) => {
      const answer = await pass()
      if (request.type !== "append" || request.kind !== "proposal") return answer
      requests++
      throw new TransportError("the answer is lost", { retryable: true })
    })
    const transport = world.transport("auth")
    const auth: Transport = {
      ...transport,
      async request(body, options) {
        const answer = decode(AuthResponse, await transport.request(body, options))
        const isHidden = answer.type === "devices" && answer.name === "carol"
        return encode(AuthResponse, isHidden ? { type: "notFound" } : answer)
      },
    }
    const [alice, bob] = [await world.open("alice", { delivery, auth }), await world.open("bob")]
    await world.open("carol")
    const team = await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    await only(bob).invite("carol")
    await alice.sync()
    assert.equal(team.status, "halted")
    const held = team.send("not for carol")
    held.catch(() => {})
    const leaving = team.leave()
    await until(() => requests === 1, "the request")
    await alice.sync()
    await leaving
    assert.deepEqual([team.status, requests], ["leaving", 1])
    await settle(bob, alice)
    assert.equal(team.status, "left")
    await assert.rejects(held, { code: "NOT_A_MEMBER" })
  })

  it("is left further after an approval only where this device has asked to be removed", async () => {
    await using world = new World({ inMemory: true })
    const team = await (await world.open("alice")).createConversation({})
    assert.ok(team instanceof ConversationHandle)
    const { state } = team.driver
    const body = { type: "text", text: "hello" } as const
    const payload = encodePayload({ version: PAYLOAD_VERSION, messageId: provider.random(16), sentAt: 1n, body })
    const outgoing = { epoch: 0n, body: new Uint8Array(), request: new Uint8Array() }
    const wishes: readonly (readonly [Wish, string])[] = [
      [{ type: "refresh" }, "active"],
      [{ type: "message", payload, outgoing, acceptedSeq: 9n }, "active"],
      [{ type: "leave", outgoing, acceptedSeq: undefined }, "active"],
      [{ type: "leave", outgoing, acceptedSeq: 9n }, "leaving"],
    ]
    for (const [wish, status] of wishes) {
      state.wishes.set(9, wish)
      state.facts = { ...state.facts, status: "halted" }
      step(state, { type: "approved", signatureKey: new Uint8Array(32) }, team.driver.moment())
      assert.equal(state.facts.status, status)
    }
  })
})
