import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { fromHex } from "../src/bytes.js"
import type { ClientOptions } from "../src/index.js"
import {
  accepted,
  claim,
  everybody,
  insider,
  invitationOf,
  only,
  stop,
  stoppedTeam,
  team,
  types,
} from "./support/stopping.js"
import { settle, taken } from "./support/world.js"

const asks: ClientOptions["policy"] = { keyPackages: 4, invitations: "ask" }

describe("an invitation that says what it continues", () => {
  it("is an ordinary one back into a conversation that this device has had", async () => {
    const { world, bob, honest, before } = await stoppedTeam()
    await using _ = world
    const after = await before.restart({ without: ["mallory"] })
    await settle(bob)
    const joined = await accepted(bob)
    await settle(...honest)
    await joined.leave()
    await settle(...honest, ...honest)
    assert.equal(joined.status, "left")
    await taken(bob)
    await after.invite("bob")
    await settle(bob)
    const told = (await taken(bob)).filter(({ type }) => type === "joined" || type === "invited")
    assert.deepEqual(types(told), ["joined"])
    assert.equal(joined.status, "active")
  })

  it("is an ordinary one from a member whose removal this device has not read yet", async () => {
    const { world, alice, bob, carol, mallory, before } = await team((_, name) =>
      name === "alice" ? { policy: asks } : {},
    )
    await using _ = world
    await only(carol).remove("bob")
    await claim(await insider(world, bob), ["alice"], { groupId: fromHex(before.id), names: everybody })
    await settle(alice)
    const invitation = invitationOf(alice)!
    assert.equal(invitation.invitedBy, "bob")
    await settle(mallory)
    await stop(world, mallory)
    await settle(alice)
    assert.equal(before.status, "stopped")
    assert.equal(invitation.invitedToContinue, undefined)
  })

  it("counts from a member of whom this device has not read yet", async () => {
    const { world, alice, carol, mallory, before } = await team()
    await using _ = world
    const eve = await world.open("eve")
    await before.invite("eve")
    await settle(eve, mallory)
    await stop(world, mallory)
    await settle(eve)
    const after = await only(eve).restart({ without: ["mallory"] })
    assert.equal(only(carol).status, "active")
    await settle(carol, alice)
    for (const client of [carol, alice]) {
      const told = (await taken(client)).find(({ type }) => type === "invited")
      assert.ok(told?.type === "invited", client.name)
      assert.deepEqual([told.conversation.id, told.continues?.by], [after.id, "eve"])
    }
  })

  it("does not continue one that the person has not accepted", async () => {
    const { world, alice, mallory, before } = await team()
    await using _ = world
    const eve = await world.open("eve", { policy: asks })
    await before.invite("eve")
    await settle(eve, mallory)
    const first = invitationOf(eve)!
    await stop(world, mallory)
    await settle(eve, alice)
    const after = await before.restart({ without: ["mallory"] })
    await settle(eve)
    const second = eve.conversations.get(after.id)!
    assert.deepEqual([second.status, second.invitedToContinue], ["invited", undefined])
    await second.accept()
    assert.deepEqual([second.continues, first.continuedBy], [undefined, undefined])
  })
})
