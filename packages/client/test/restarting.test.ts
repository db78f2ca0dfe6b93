import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { DeliveryRequest, DeliveryResponse } from "@conclave/contracts/delivery"
import { equalBytes } from "@conclave/crypto"
import { cipherSuite, type PreparedJoin } from "@conclave/mls"
import { readNewcomer } from "../src/access/newcomer.js"
import { fromHex } from "../src/bytes.js"
import { ConversationHandle } from "../src/device/handle.js"
import type { Client, ClientOptions, Conversation } from "../src/index.js"
import { Mallory } from "./support/mallory.js"
import {
  accepted,
  bobStuck,
  claim,
  everybody,
  insider,
  invitationOf,
  only,
  phoneOf,
  stop,
  stoppedTeam,
  team,
  texts,
  types,
} from "./support/stopping.js"
import { answered } from "./support/tampered.js"
import { provider, settle, taken, type World } from "./support/world.js"

describe("a conversation that a member has stopped", () => {
  it("goes on in a new group, by one call, and all who accept have one conversation with its whole history", async () => {
    const { world, alice, bob, carol, honest, before } = await stoppedTeam()
    await using _ = world
    const after = await before.restart({ without: ["mallory"] })
    assert.equal(only(alice), after)
    assert.deepEqual([after.title, after.status, after.members], ["team", "active", ["alice", "bob", "carol"]])
    assert.deepEqual([before.status, before.continuedBy, after.continues], ["continued", after, before])
    await after.send("we are back")
    await settle(...honest)
    for (const client of [bob, carol]) {
      const told = (await taken(client)).find((event) => event.type === "invited")
      assert.ok(told?.type === "invited", `${client.name} was not asked`)
      const old = [...client.conversations.values()].find(({ status }) => status === "stopped")!
      const expected = { conversation: old, by: "alice", added: [], removed: ["mallory"], known: true }
      assert.deepEqual({ ...told.continues }, expected)
      assert.deepEqual({ ...told.conversation.invitedToContinue }, expected)
      assert.equal(told.conversation.continues, undefined)
      const joined = await accepted(client)
      assert.equal(only(client), joined)
      assert.deepEqual([joined.continues, old.continuedBy, old.status], [old, joined, "continued"])
      assert.equal(joined.invitedToContinue, undefined)
    }
    await only(carol).send("so am I")
    await settle(...honest)
    for (const client of honest) {
      const one = only(client)
      assert.deepEqual(await texts(one), ["hello", "hello, alice", "we are back", "so am I"])
      assert.equal(one.title, "team")
      assert.deepEqual(one.members, ["alice", "bob", "carol"])
      assert.deepEqual(one.epochAuthenticator, after.epochAuthenticator)
    }
    assert.deepEqual(types(await taken(carol)), ["joined", "title", "message", "sent"])
  })

  it("has the same places in its events and in its history, which is read in pages across the restart", async () => {
    const { world, alice, bob, before } = await stoppedTeam()
    await using _ = world
    const after = await before.restart()
    for (const text of ["one", "two", "three"]) await after.send(text)
    await settle(bob)
    await accepted(bob)
    await settle(alice, bob)
    for (const client of [alice, bob]) {
      const all = await only(client).history()
      const seqs = all.map(({ seq }) => seq)
      assert.deepEqual(
        all.map(({ text }) => text),
        ["hello", "hello, alice", "one", "two", "three"],
      )
      assert.deepEqual(
        seqs,
        [...seqs].sort((a, b) => a - b),
      )
      const told = (await taken(client)).flatMap((it) => (it.type === "message" || it.type === "sent" ? [it.seq] : []))
      assert.deepEqual(told, seqs.slice(2))
      for (let end = 0; end < all.length; end++) {
        for (let limit = 1; limit <= all.length; limit++) {
          const page = await only(client).history({ before: seqs[end]!, limit })
          assert.deepEqual(page, all.slice(Math.max(0, end - limit), end), `${limit} before ${end}`)
        }
      }
    }
  })

  it("is still one after the profile has been opened again, and its old events are told", async () => {
    const { world, alice, bob, before } = await stoppedTeam()
    await using _ = world
    const after = await before.restart({ without: ["mallory"] })
    await after.send("we are back")
    await settle(bob)
    await accepted(bob)
    await bob.close()
    await alice.close()
    for (const name of ["alice", "bob"]) {
      const again = await world.open(name)
      const one = only(again)
      assert.equal(one.id, after.id)
      assert.deepEqual([one.continues?.id, one.continues?.status], [before.id, "continued"])
      assert.equal(one.continues?.continuedBy, one)
      assert.deepEqual(await texts(one), ["hello", "hello, alice", "we are back"])
      const told = await taken(again)
      const seqs = (await one.history()).map(({ seq }) => seq)
      assert.ok(told.some((it) => (it.type === "message" || it.type === "sent") && it.seq === seqs[2]))
    }
  })

  it("takes the messages that wait along, in order and once, and every other call fails when it stops", async () => {
    const { world, alice, bob, carol, mallory, honest, before } = await team()
    await using _ = world
    await world.open("dave")
    await stop(world, mallory)
    const [one, two] = [before.send("one"), before.send("two")]
    const others = [before.invite("dave"), before.refresh(), before.remove("bob")]
    const title = before.setTitle("another")
    for (const call of others) call.catch(() => {})
    title.catch(() => {})
    const sameTitle = before.setTitle("team")
    const hers = only(carol).send("me too")
    await settle(...honest)
    for (const call of others) await assert.rejects(call, { code: "LOST" })
    const pending = (of: Conversation) => of.pending.map(({ text }) => text)
    assert.deepEqual(pending(before), ["one", "two"])
    const after = await before.restart({ without: ["mallory"] })
    await assert.rejects(title, { code: "CONTINUED" })
    await sameTitle
    const three = after.send("three")
    const ids = await Promise.all([one, two, three])
    assert.deepEqual([pending(before), pending(after)], [[], []])
    await settle(...honest)
    for (const client of [bob, carol]) await accepted(client)
    await hers
    await settle(...honest)
    for (const client of honest) {
      const said = await only(client).history()
      const all = ["hello", "hello, alice", "one", "two", "three", "me too"]
      assert.deepEqual(
        said.map(({ text }) => text),
        all,
      )
      assert.deepEqual(
        said.slice(2, 5).map(({ messageId }) => messageId),
        ids,
      )
      assert.equal(only(client).title, "team")
    }
    const told = await taken(alice)
    assert.deepEqual(
      told.flatMap((it) => (it.type === "failed" ? [`${it.wish} ${it.code}`] : [])),
      ["invite LOST", "refresh LOST", "remove LOST", "title CONTINUED"],
    )
    assert.deepEqual(
      told.flatMap((it) => (it.type === "sent" ? [it.text] : [])),
      ["one", "two", "three"],
    )
  })

  it("is not restarted by anybody who takes part in it without trouble, nor twice", async () => {
    const { world, alice, before } = await team()
    await using _ = world
    await assert.rejects(before.restart(), {
      code: "REFUSED",
      message: /^this conversation is active: only one that is/,
    })
    await before.leave()
    await assert.rejects(before.restart(), { code: "REFUSED" })
    const { world: other, before: stopped } = await stoppedTeam()
    await using _other = other
    await assert.rejects(stopped.restart({ without: ["malory"] }), { code: "NOT_A_MEMBER" })
    await assert.rejects(stopped.restart({ without: ["alice"] }), TypeError)
    const [first, second] = await Promise.allSettled([stopped.restart(), stopped.restart()])
    assert.equal(first.status, "fulfilled")
    assert.ok(second.status === "rejected" && second.reason.code === "CONTINUED")
    await assert.rejects(stopped.restart(), { code: "CONTINUED" })
    await assert.rejects(stopped.send("anybody?"), { code: "CONTINUED" })
    assert.equal(alice.conversations.size, 1)
  })
})

describe("a conversation that a device cannot follow, and into which nobody lets it back", () => {
  for (const lost of ["nothing", "the answer", "the request"] as const) {
    it(`is restarted without saying anything twice, or not at all, where ${lost} was lost`, async () => {
      const { world, alice, bob, before, old, sent, later } = await bobStuck(lost)
      await using _ = world
      const after = await old.restart({ without: ["mallory"] })
      await Promise.all([sent, later])
      await settle(alice)
      assert.equal(only(bob), after)
      const said = ["hello", "hello, alice", "while I was losing my place", "after that"]
      assert.deepEqual(await texts(after), said)
      const isInOld = lost !== "the request"
      assert.deepEqual(await texts(before), said.slice(0, isInOld ? 3 : 2))
      // Alice is in no trouble: to her it is one conversation more, which takes the place of none.
      const hers = alice.conversations.get(after.id)!
      assert.deepEqual([before.status, hers.status, hers.continues], ["active", "active", undefined])
      assert.deepEqual(await texts(hers), said.slice(isInOld ? 3 : 2))
      assert.equal(alice.conversations.size, 2)
    })
  }

  it("does not come back beside the one that continues it, by whatever invitation", async () => {
    const { world, alice, bob, before, old } = await bobStuck("nothing")
    await using _ = world
    const after = await old.restart({ without: ["mallory"] })
    await before.reinvite("bob")
    await settle(bob, alice)
    assert.equal(only(bob), after)
    assert.deepEqual([old.status, old.continuedBy], ["continued", after])
    const refused = (await taken(bob)).find(({ type }) => type === "rejected")
    assert.ok(refused?.type === "rejected")
    assert.match(refused.reason, /this conversation goes on in another group$/)
  })

  it("is not restarted while the service does not say what it has", async () => {
    const { world, bob, old } = await bobStuck("the answer")
    await using _ = world
    const again = await reopened(world, bob, ({ groupId }) => ({ type: "notFound", groupId }))
    await assert.rejects(only(again).restart(), { code: "UNAVAILABLE" })
    assert.equal(only(again).status, "recovering")
    assert.equal(only(again).pending.length, 2)
    assert.equal(old.continuedBy, undefined)
  })

  it("is not restarted by a log with a gap, in which its message may be", async () => {
    const { world, alice, bob, before } = await bobStuck("the answer")
    await using _ = world
    await before.send("a message after that")
    const log = await world.branch.entries(before)
    const own = log.at(-2)!.seq
    const again = await reopened(world, bob, (_, answer) =>
      answer.type === "entries" ? { ...answer, entries: answer.entries.filter(({ seq }) => seq !== own) } : answer,
    )
    await assert.rejects(only(again).restart(), { code: "UNAVAILABLE", message: /with a gap/ })
    await settle(alice)
    assert.equal((await texts(before)).filter((text) => text === "while I was losing my place").length, 1)
    assert.equal(only(again).pending.length, 2)
  })

  it("is restarted where the log goes back to its message, and not to where it lost its place", async () => {
    const { world, alice, bob, before } = await bobStuck("the answer")
    await using _ = world
    const { seq: oldestSeq } = (await world.branch.entries(before)).at(-1)!
    const again = await reopened(world, bob, ({ groupId, afterSeq }, answer) =>
      afterSeq < oldestSeq - 1n ? { type: "belowRetention", groupId, oldestSeq } : answer,
    )
    const after = await only(again).restart({ without: ["mallory"] })
    await settle(alice)
    const said = ["hello", "hello, alice", "while I was losing my place", "after that"]
    assert.deepEqual(await texts(after), said)
    assert.deepEqual(await texts(alice.conversations.get(after.id)!), said.slice(3))
  })

  it("is not restarted by a service that says for ever that its log goes back less far", async () => {
    const { world, bob } = await bobStuck("the answer")
    await using _ = world
    let asked = 0
    const again = await reopened(world, bob, ({ groupId, afterSeq }) => {
      if (++asked > 20) return { type: "notFound", groupId }
      return { type: "belowRetention", groupId, oldestSeq: afterSeq + 2n }
    })
    await assert.rejects(only(again).restart(), { code: "UNAVAILABLE", message: /^the service does not show/ })
    assert.ok(asked <= 2, `asked ${asked} times`)
  })
})

/** The same device, whose service answers in another way when it is asked for the log of its only conversation. */
async function reopened(
  world: World,
  client: Client,
  change: (request: DeliveryRequest & { readonly type: "read" }, answer: DeliveryResponse) => DeliveryResponse,
): Promise<Client> {
  const groupId = fromHex(only(client).id)
  await client.close()
  const delivery = answered(world.transport("delivery"), (request, answer) =>
    request.type === "read" && equalBytes(request.groupId, groupId) ? change(request, answer) : answer,
  )
  return world.open(client.name, { delivery })
}

describe("an invitation that claims to continue a conversation", () => {
  it("is always put to the person, whatever the policy says, also on another device of who restarts it", async () => {
    const asked: unknown[] = []
    const { world, alice, bob, carol, mallory, before } = await team((_, name) => {
      const seen = (it: { readonly continues?: unknown }) => {
        asked.push(it.continues)
        return "accept" as const
      }
      return name === "bob" ? { policy: { keyPackages: 4, invitations: seen } } : {}
    })
    await using _ = world
    const phone = await phoneOf(world, alice)
    await before.invite("alice")
    await settle(phone, mallory)
    await stop(world, mallory)
    await settle(alice, bob, carol, phone)
    await before.restart()
    await settle(bob, carol, phone)
    assert.equal((asked.at(-1) as { by: string }).by, "alice")
    for (const client of [bob, carol, phone])
      assert.ok(invitationOf(client)?.invitedToContinue !== undefined, client.name)
  })

  it("counts as one where this device has been away, and has not read yet that nobody can go on", async () => {
    const { world, alice, carol, mallory, before } = await team()
    await using _ = world
    await stop(world, mallory)
    await settle(alice)
    await before.restart()
    assert.equal(only(carol).status, "active")
    await carol.sync()
    const told = (await taken(carol)).filter(({ type }) => type === "stopped" || type === "invited")
    assert.deepEqual(types(told), ["stopped", "invited"])
    assert.ok(told[1]?.type === "invited" && told[1].continues?.by === "alice")
  })

  it("takes over nothing that works: it is an ordinary invitation, until the other conversation does not", async () => {
    const { world, alice, mallory, before } = await team((_, name) =>
      name === "alice" ? { policy: { keyPackages: 4, invitations: "ask" } } : {},
    )
    await using _ = world
    const { mallory: inside } = await Mallory.inside(world, mallory)
    await claim(inside, ["alice"], { groupId: fromHex(before.id), names: everybody })
    await settle(alice)
    const invitation = invitationOf(alice)!
    const told = (await taken(alice)).find((event) => event.type === "invited")
    assert.ok(told?.type === "invited" && told.by === "mallory" && told.continues === undefined)
    assert.ok(!("removed" in (invitation.invitedToContinue ?? {})))
    await stop(world, mallory)
    await settle(alice)
    assert.equal(before.status, "stopped")
    assert.deepEqual(invitation.invitedToContinue?.removed, ["bob", "carol"])
    const other = alice.conversations.size
    await invitation.accept()
    assert.deepEqual([invitation.continues, alice.conversations.size], [before, other - 1])
  })

  it("is forgotten where the person accepts it while the other one works", async () => {
    const { world, alice, mallory, before } = await team((_, name) =>
      name === "alice" ? { policy: { keyPackages: 4, invitations: "ask" } } : {},
    )
    await using _ = world
    const { mallory: inside } = await Mallory.inside(world, mallory)
    await claim(inside, ["alice"], { groupId: fromHex(before.id), names: everybody })
    await settle(alice)
    const invitation = await accepted(alice)
    assert.ok(invitation instanceof ConversationHandle)
    assert.equal(invitation.driver.state.continuation.continues, undefined)
    assert.deepEqual([invitation.continues, before.continuedBy, alice.conversations.size], [undefined, undefined, 2])
  })

  it("is one to an ordinary conversation where the policy accepts it while the other one works", async () => {
    const { world, alice, mallory, before } = await team()
    await using _ = world
    const { mallory: inside } = await Mallory.inside(world, mallory)
    await claim(inside, ["alice"], { groupId: fromHex(before.id), names: everybody })
    await settle(alice)
    assert.deepEqual([...alice.conversations.values()].map(({ status }) => status).sort(), ["active", "active"])
    await stop(world, mallory)
    await settle(alice)
    assert.equal(before.continuedBy, undefined)
    assert.equal(alice.conversations.size, 2)
  })

  for (const who of [
    "a stranger",
    "a former member",
    "a member's device that was not in it",
    "no such conversation",
  ] as const) {
    it(`is an ordinary one where it comes from ${who}`, async () => {
      const { world, alice, bob, carol, mallory, before, honest } = await team()
      await using _ = world
      const eve = new Mallory(world, "eve")
      if (who === "a former member") await before.remove("bob")
      await settle(mallory)
      await stop(world, mallory)
      await settle(...honest)
      assert.equal(before.status, "stopped")
      const claimant = await {
        "a stranger": async () => eve,
        "a former member": () => insider(world, bob),
        "a member's device that was not in it": async () => insider(world, await phoneOf(world, carol)),
        "no such conversation": () => insider(world, bob),
      }[who]()
      if (claimant === eve) await eve.register()
      const groupId = who === "no such conversation" ? provider.random(32) : fromHex(before.id)
      await claim(claimant, ["alice"], { groupId, names: everybody })
      await taken(alice)
      await settle(alice)
      const events = async () => (await taken(alice)).filter(({ type }) => type === "joined" || type === "invited")
      assert.deepEqual(types(await events()), ["joined"])
      assert.equal(alice.conversations.size, 2)
      assert.deepEqual([before.status, before.continuedBy], ["stopped", undefined])
    })
  }

  it("shows what is different from what this device knew, whatever the inviter says of the old members", async () => {
    const { world, alice, mallory, before } = await stoppedTeam()
    await using _ = world
    await world.open("eve")
    const inside = await insider(world, mallory)
    // Eve was never in it, and Carol is left out: the list says that all is as it was.
    await claim(inside, ["alice", "bob", "eve"], {
      groupId: fromHex(before.id),
      names: ["alice", "bob", "eve", "mallory"],
    })
    await settle(alice)
    const told = (await taken(alice)).find((event) => event.type === "invited")
    assert.ok(told?.type === "invited")
    const { conversation: _old, ...differences } = told.continues!
    assert.deepEqual(differences, { by: "mallory", added: ["eve"], removed: ["carol"], known: false })
  })

  it("tells those alone of the old conversation who were in it", async () => {
    const { world, bob, before } = await stoppedTeam()
    await using _ = world
    const told: (boolean | undefined)[] = []
    const verifyLeaves: ClientOptions["verifyLeaves"] = async (_scheme, join) => {
      const { groupInfoExtensions } = join as PreparedJoin
      const newcomer = readNewcomer(cipherSuite(1, provider), groupInfoExtensions)
      told.push(newcomer && newcomer.continues !== undefined)
      return false
    }
    const eve = await world.open("eve", { verifyLeaves })
    const after = await before.restart({ without: ["bob"] })
    await after.invite("eve")
    await after.invite("bob")
    await settle(eve, bob)
    assert.ok(invitationOf(bob)?.invitedToContinue !== undefined)
    assert.deepEqual(told, [false])
    assert.deepEqual([only(eve).status, only(eve).continues], ["active", undefined])
  })

  it("that is declined changes nothing", async () => {
    const { world, bob, before } = await stoppedTeam()
    await using _ = world
    await before.restart()
    await settle(bob)
    await invitationOf(bob)!.decline()
    assert.deepEqual([only(bob).status, only(bob).continuedBy], ["stopped", undefined])
    await settle(bob)
    assert.equal(only(bob).id, before.id)
    assert.deepEqual(await texts(only(bob)), ["hello", "hello, alice"])
  })
})

describe("two members who restart a conversation at the same time", () => {
  it("each have one conversation, also if each accepts the other's, and nothing that anybody says is lost", async () => {
    const { world, alice, bob, carol, honest, before } = await stoppedTeam()
    await using _ = world
    const old = only(bob)
    const [hers, his] = [await before.restart({ without: ["mallory"] }), await old.restart({ without: ["mallory"] })]
    await settle(...honest)
    await hers.send("in hers")
    await his.send("in his")
    for (const client of [alice, bob]) {
      const invitation = invitationOf(client)!
      assert.deepEqual(invitation.invitedToContinue?.conversation.id, before.id)
      await invitation.accept()
    }
    assert.deepEqual([only(alice).id, only(bob).id], [his.id, hers.id])
    assert.deepEqual([only(alice).continues, hers.continuedBy?.id], [hers, his.id])
    // Carol takes the one, then the other.
    await settle(...honest)
    await accepted(carol)
    await settle(...honest)
    await accepted(carol)
    await settle(...honest)
    for (const client of honest) await only(client).send(`${client.name} is here`)
    await settle(...honest)
    const everything = ["alice is here", "bob is here", "carol is here", "in hers", "in his"]
    for (const client of honest) {
      const said = await texts(only(client))
      assert.deepEqual(said.slice(0, 2), ["hello", "hello, alice"])
      assert.deepEqual(said.slice(2).sort(), everything, client.name)
    }
    await assert.rejects(hers.restart(), { code: "CONTINUED" })
  })
})
