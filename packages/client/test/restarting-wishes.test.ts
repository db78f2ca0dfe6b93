import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { DeliveryRequest } from "@conclave/contracts/delivery"
import { equalBytes } from "@conclave/crypto"
import { fromHex } from "../src/bytes.js"
import { accepted, bobStuck, invitationOf, only, stop, team, texts } from "./support/stopping.js"
import { tampered } from "./support/tampered.js"
import { settle } from "./support/world.js"

describe("what waits in a conversation", () => {
  it("that a device cannot follow fails when it is restarted, unless it is a message", async () => {
    const { world, bob, old, sent, later } = await bobStuck("nothing")
    await using _ = world
    await world.open("dave")
    const invited = old.invite("dave")
    const refreshed = old.refresh()
    for (const it of [invited, refreshed]) it.catch(() => {})
    const after = await old.restart({ without: ["mallory"] })
    for (const it of [invited, refreshed]) await assert.rejects(it, { code: "CONTINUED" })
    await Promise.all([sent, later])
    assert.deepEqual([only(bob), old.pending], [after, []])
    assert.equal((await texts(after)).at(-1), "after that")
  })

  it("that is stopped is said in the new one, whether the service shows the old log or not", async () => {
    const service = { isGone: (_: DeliveryRequest) => false, loses: false }
    const { world, alice, bob, mallory, before } = await team((world, name) => {
      if (name !== "alice") return {}
      const delivery = tampered(world.transport("delivery"), async (request, pass) => {
        if (service.isGone(request)) throw new Error("the line is dead")
        const answer = await pass()
        if (request.type === "append" && service.loses) throw new Error("the line is dead")
        return answer
      })
      return { delivery }
    })
    await using _ = world
    await stop(world, mallory)
    service.loses = true
    const sent = before.send("after the end")
    sent.catch(() => {})
    await alice.sync().catch(() => {})
    service.loses = false
    await alice.sync()
    assert.deepEqual([before.status, before.pending.length], ["stopped", 1])
    const groupId = fromHex(before.id)
    service.isGone = (request) => request.type === "read" && equalBytes(request.groupId, groupId)
    const after = await before.restart({ without: ["mallory"] })
    await sent
    await settle(bob)
    await accepted(bob)
    await settle(alice, bob)
    for (const it of [after, only(bob)]) assert.equal((await texts(it)).at(-1), "after the end")
  })

  it("that has continued it, and works, stays in it where the person accepts another one in its place", async () => {
    const service = { isDown: false }
    const { world, alice, bob, carol, mallory, honest, before } = await team((world, name) => {
      if (name !== "alice") return {}
      const delivery = tampered(world.transport("delivery"), async (request, pass) => {
        if (request.type === "append" && service.isDown) throw new Error("the line is dead")
        return pass()
      })
      return { delivery }
    })
    await using _ = world
    await stop(world, mallory)
    await settle(...honest)
    const hers = await before.restart({ without: ["mallory"] })
    await settle(carol)
    await accepted(carol)
    const his = await only(bob).restart({ without: ["mallory"] })
    await settle(alice)
    service.isDown = true
    const sent = hers.send("in hers")
    sent.catch(() => {})
    await invitationOf(alice)!.accept()
    assert.deepEqual([hers.pending.length, only(alice).pending.length], [1, 0])
    service.isDown = false
    await settle(alice, bob, carol)
    await sent
    assert.equal((await texts(carol.conversations.get(hers.id)!)).at(-1), "in hers")
    assert.ok(!(await texts(his)).includes("in hers"))
  })

  it("goes on in it where a member has answered its knock: then it is not restarted", async () => {
    const { world, service, alice, bob, old, sent, later } = await bobStuck("nothing")
    await using _ = world
    world.now += 30_000
    await settle(alice)
    service.beforeReading = async () => {
      throw new Error("the line is dead")
    }
    await bob.sync().catch(() => {})
    service.beforeReading = async () => {}
    assert.equal(old.status, "recovering")
    await assert.rejects(old.restart(), { code: "REFUSED", message: /^a member has answered/ })
    await settle(bob)
    await Promise.all([sent, later])
    assert.equal(old.status, "active")
  })
})
