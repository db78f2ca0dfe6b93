import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { decode } from "@conclave/codec"
import { DeliveryResponse, deliveryRequests } from "@conclave/contracts/delivery"
import { TransportError } from "@conclave/transport"
import type { Client } from "../src/index.js"
import { Backup, only, pass, texts } from "./support/backup.js"
import { assertOneGroup } from "./support/team.js"
import { next, provider, settle, taken } from "./support/world.js"

const TEN_MINUTES = 600_000

describe("a service that was restored from a backup", () => {
  it("is given back the commits that it has lost, and the members go on where they were", async () => {
    await using backup = new Backup()
    const [alice, bob, carol] = (await backup.team("alice", "bob", "carol")) as [Client, Client, Client]
    await backup.make()
    await only(alice).refresh()
    await only(bob).send("after the backup")
    await settle(alice, bob, carol)
    await only(bob).refresh()
    await only(carol).send("and this")
    await settle(alice, bob, carol)
    const { epoch } = only(alice)
    for (const client of [alice, bob, carol]) await taken(client)
    const restored = backup.restore()
    await pass(backup.world, 60_000, alice, bob, carol)
    assertOneGroup(alice, bob, carol)
    assert.equal(only(alice).epoch, epoch)
    await only(alice).send("we are back")
    await settle(alice, bob, carol)
    for (const client of [alice, bob, carol]) {
      const said = await texts(client)
      assert.deepEqual(said, ["before the backup", "after the backup", "and this", "we are back"])
      const told = (await taken(client)).filter(({ type }) => type !== "message" && type !== "sent")
      assert.deepEqual(
        told.map((it) => (it.type === "service" ? it.change : it.type)),
        ["restored"],
      )
    }
    // Each handshake once, though three members could give it back.
    const commits = (await restored.entries(only(alice))).filter(({ kind }) => kind === "commit")
    assert.equal(commits.length, 3)
  })

  it("is given back a removal, so that it holds", async () => {
    await using backup = new Backup()
    const [alice, bob, carol] = (await backup.team("alice", "bob", "carol")) as [Client, Client, Client]
    await backup.make()
    await only(alice).remove("carol")
    await settle(alice, bob)
    backup.restore()
    // For Carol, who has not read it, nothing has happened.
    await carol.sync()
    await pass(backup.world, 60_000, alice, bob)
    await carol.sync()
    assert.equal(only(carol).status, "left")
    await only(bob).send("without Carol")
    await settle(alice, bob, carol)
    assertOneGroup(alice, bob)
    assert.ok(!(await texts(carol)).includes("without Carol"))
  })

  it("leads members who were away on with what the others bring back", async () => {
    await using backup = new Backup()
    const [alice, bob, carol] = (await backup.team("alice", "bob", "carol")) as [Client, Client, Client]
    await backup.make()
    await only(alice).refresh()
    await only(alice).refresh()
    await settle(alice, bob)
    backup.restore()
    await carol.sync()
    const waiting = only(carol).refresh()
    await pass(backup.world, 60_000, alice, bob, carol)
    assertOneGroup(alice, bob, carol)
    await pass(backup.world, TEN_MINUTES, carol)
    await waiting
    await settle(alice, bob, carol)
    assertOneGroup(alice, bob, carol)
  })

  it("has no new commit for ten minutes; messages are sent", async () => {
    await using backup = new Backup()
    const [alice, bob] = (await backup.team("alice", "bob")) as [Client, Client]
    await backup.make()
    const restored = backup.restore()
    // What he reads shows it.
    await only(alice).send("hello")
    await bob.sync()
    await only(bob).send("hello, Alice")
    const refreshing = only(bob).refresh()
    await pass(backup.world, TEN_MINUTES - 60_000, alice, bob)
    const commits = async () => (await restored.entries(only(alice))).filter(({ kind }) => kind === "commit").length
    assert.equal(await commits(), 1)
    await pass(backup.world, 120_000, alice, bob)
    await refreshing
    assert.equal(await commits(), 2)
    const deferred = (await taken(bob)).flatMap((it) => (it.type === "deferred" ? [it.wishes] : []))
    assert.deepEqual(deferred, [["refresh"]])
    assert.deepEqual((await texts(alice)).slice(-2), ["hello", "hello, Alice"])
  })

  it("is given back what was lost by a device that is restarted meanwhile", async () => {
    await using backup = new Backup()
    const [alice, bob, carol] = (await backup.team("alice", "bob", "carol")) as [Client, Client, Client]
    await backup.make()
    await only(bob).refresh()
    await only(alice).send("after the backup")
    await only(bob).refresh()
    await settle(alice, bob)
    await alice.close()
    backup.restore()
    await bob.sync()
    await bob.close()
    const again = await backup.open("bob")
    await pass(backup.world, 60_000, again, carol)
    assertOneGroup(again, carol)
    const back = await backup.open("alice")
    await settle(back, again, carol)
    assertOneGroup(back, again, carol)
    assert.deepEqual(await texts(back), ["before the backup", "after the backup"])
  })

  it("is followed by a stream from where the device has gone back to", async () => {
    await using backup = new Backup()
    const [alice, bob] = (await backup.team("alice", "bob")) as [Client, Client]
    await backup.make()
    await only(bob).send("after the backup")
    await settle(alice, bob)
    await taken(alice)
    await alice.close()
    backup.restore()
    await bob.sync()
    // Its stream begins after an entry that the service does not have any more.
    const back = await backup.open("alice", { live: true })
    await next(back, "service")
    await back.sync()
    await only(bob).send("in the place of what was lost")
    assert.equal((await next(back, "message")).text, "in the place of what was lost")
  })

  it("leaves those behind whose commits another one has replaced: they are let in again", async () => {
    await using backup = new Backup()
    const [alice, bob, carol] = (await backup.team("alice", "bob", "carol")) as [Client, Client, Client]
    await backup.make()
    await only(alice).refresh()
    await settle(alice, bob)
    await alice.close()
    await bob.close()
    backup.restore()
    // Carol, who has not read it, is alone for long enough.
    await only(carol).send("anybody here?")
    await carol.sync()
    await pass(backup.world, TEN_MINUTES + 60_000, carol)
    await only(carol).refresh()
    const [back, again] = [await backup.open("alice"), await backup.open("bob")]
    await pass(backup.world, 120_000, carol, back, again)
    assertOneGroup(back, again, carol)
    for (const client of [back, again]) {
      const types = (await taken(client)).map(({ type }) => type)
      assert.ok(types.includes("stuck") && types.includes("recovered"), types.join())
    }
    await only(back).send("here I am")
    await settle(back, again, carol)
    assert.equal((await texts(carol)).at(-1), "here I am")
  })

  it("keeps messages apart that have the same place before and after", async () => {
    await using backup = new Backup()
    const [alice, bob] = (await backup.team("alice", "bob")) as [Client, Client]
    await backup.make()
    for (const text of ["one", "two", "three"]) await only(alice).send(text)
    await settle(alice, bob)
    backup.restore()
    await alice.sync()
    await pass(backup.world, 60_000, alice, bob)
    await only(bob).send("four")
    await settle(alice, bob)
    for (const client of [alice, bob]) {
      assert.deepEqual(await texts(client), ["before the backup", "one", "two", "three", "four"])
      const seqs = (await only(client).history()).map(({ seq }) => seq)
      assert.equal(new Set(seqs).size, seqs.length)
    }
  })

  it("is not taken for restored where it just shows less", async () => {
    await using backup = new Backup()
    const [alice, bob] = (await backup.team("alice", "bob")) as [Client, Client]
    const older = backup.world.fork()
    await only(alice).send("hidden")
    await settle(alice, bob)
    await taken(bob)
    await bob.close()
    const led = await backup.world.open("bob", { delivery: older.transport })
    await led.sync()
    await led.sync()
    const told = (await taken(led)).map(({ type }) => type)
    assert.deepEqual(told, ["missing"])
    assert.ok((await texts(led)).includes("hidden"))
  })

  it("is waited for while it does not know the group; what was lost comes back after that", async () => {
    await using backup = new Backup()
    const [alice, bob] = (await backup.team("alice", "bob")) as [Client, Client]
    await backup.make()
    await only(alice).refresh()
    await settle(alice, bob)
    await taken(bob)
    backup.restore()
    let isGone = false
    backup.lie = (request, answer) => {
      // What it says of itself is known then, and Bob looks where the logs part.
      if (answer.type === "service") isGone = true
      return isGone && request.type === "read" ? { type: "notFound", groupId: request.groupId } : answer
    }
    await bob.sync()
    assert.ok((await taken(bob)).some(({ type }) => type === "missing"))
    backup.lie = (_, answer) => answer
    await pass(backup.world, 60_000, alice, bob)
    assertOneGroup(alice, bob)
    assert.equal(only(bob).epoch, 2n)
  })

  it("shows requests to leave from before what is lost, and they are no rival of it", async () => {
    await using backup = new Backup()
    const [alice, bob, carol] = (await backup.team("alice", "bob", "carol")) as [Client, Client, Client]
    await backup.make()
    await only(alice).refresh()
    await settle(alice, bob)
    await taken(bob)
    backup.restore()
    await carol.sync()
    const leaving = only(carol).leave()
    await carol.sync()
    await pass(backup.world, 60_000, alice, bob, carol)
    await pass(backup.world, TEN_MINUTES, alice, bob, carol)
    await leaving
    const told = (await taken(bob)).map(({ type }) => type)
    assert.ok(!told.includes("stuck"), told.join())
    assertOneGroup(alice, bob)
    assert.equal(only(carol).status, "left")
  })

  it("cannot become what it was before without a warning", async () => {
    await using backup = new Backup()
    const [alice, bob] = (await backup.team("alice", "bob")) as [Client, Client]
    await backup.make()
    backup.restore()
    await only(alice).send("after the backup")
    await bob.sync()
    await backup.world.branch.place(only(alice), (await backup.restore().entries(only(alice))).at(-1)!)
    backup.takeBack()
    await taken(bob)
    await only(alice).send("and this")
    await bob.sync()
    const told = (await taken(bob)).flatMap((it) => (it.type === "service" ? [it.change] : []))
    assert.deepEqual(told, ["replaced"])
    assert.deepEqual((await texts(bob)).slice(-2), ["after the backup", "and this"])
  })

  it("and whose log is as long again is noticed where another conversation has told of it", async () => {
    await using backup = new Backup()
    const [alice, bob, carol] = (await backup.team("alice", "bob", "carol")) as [Client, Client, Client]
    const { id } = await alice.createConversation({ title: "other", members: ["bob", "carol"] })
    await settle(alice, bob, carol)
    await backup.make()
    await alice.conversations.get(id)!.send("after the backup")
    await settle(alice, bob)
    backup.restore()
    await carol.conversations.get(id)!.send("instead")
    // He does not come to ask for that log before he knows.
    backup.lie = (request, answer, to) => {
      const isOther = to === "bob" && request.type === "read" && Buffer.from(request.groupId).toString("hex") === id
      if (isOther) throw new TransportError("the line is broken", { retryable: true })
      return answer
    }
    await bob.sync().catch(() => {})
    backup.lie = (_, answer) => answer
    await bob.sync()
    const said = (await bob.conversations.get(id)!.history()).map(({ text }) => text)
    assert.deepEqual(said.slice(-2), ["after the backup", "instead"])
  })

  it("is followed by a newcomer who had not read its log to the end, and was started again", async () => {
    await using backup = new Backup()
    const [alice, bob] = [await backup.open("alice"), await backup.open("bob")]
    const team = await alice.createConversation({ members: ["bob"] })
    await backup.make()
    await team.send("after the backup")
    let pages = 0
    backup.lie = (request, answer, to) => {
      if (to !== "bob" || request.type !== "read" || answer.type !== "entries") return answer
      if (pages++ > 0) throw new TransportError("the line is broken", { retryable: true })
      return { ...answer, headSeq: answer.headSeq + 1n }
    }
    await bob.sync().catch(() => {})
    assert.ok(pages > 1)
    await bob.close()
    backup.lie = (_, answer) => answer
    backup.restore()
    await team.send("instead")
    const again = await backup.open("bob")
    await settle(again)
    assert.deepEqual(await texts(again), ["after the backup", "instead"])
  })

  it("is followed by a device that read what was signed before that, when it knew of it already, and was started again", async () => {
    await using backup = new Backup()
    const [alice, bob] = [await backup.open("alice"), await backup.open("bob")]
    const team = await alice.createConversation({ members: ["bob"] })
    await backup.make()
    await team.send("after the backup")
    // One of the service's processes has heard of the restore, and others have not.
    const asking = deliveryRequests.encode({ type: "service" })
    const said = decode(DeliveryResponse, await backup.restore().transport.request(asking))
    backup.takeBack()
    let asked = 0
    backup.lie = (request, answer, to) => {
      if (to !== "bob" || request.type !== "service") return answer
      if (asked++ > 0) throw new TransportError("the line is broken", { retryable: true })
      return said
    }
    await bob.sync().catch(() => {})
    assert.ok(asked > 1)
    await bob.close()
    backup.lie = (_, answer) => answer
    backup.restore()
    await team.send("instead")
    const again = await backup.open("bob")
    await settle(again)
    assert.deepEqual(await texts(again), ["after the backup", "instead"])
  })

  it("and has lost what was said has contradicted nothing", async () => {
    await using backup = new Backup()
    const [alice, bob] = (await backup.team("alice", "bob")) as [Client, Client]
    const other = await bob.createConversation({ title: "my own" })
    await backup.make()
    const restored = backup.restore()
    await only(alice).send("after the backup")
    await settle(alice, bob)
    const [said] = (await restored.entries(only(alice))).slice(-1)
    assert.ok(said !== undefined)
    // As it was before, it has other messages in the place of that one, and signs for them.
    const before = backup.takeBack()
    for (let n = 0; n < 2; n++) await before.place(only(alice), { ...said, body: new Uint8Array(n + 1) })
    await other.send("I look what the service says of itself")
    await taken(bob)
    await bob.sync()
    const told = (await taken(bob)).map(({ type }) => type)
    assert.ok(told.includes("missing") && !told.includes("contradicted"), told.join())
  })

  it("has contradicted nothing where nothing was said yet", async () => {
    await using backup = new Backup()
    const alice = await backup.open("alice")
    const own = await alice.createConversation({ title: "my own" })
    await alice.sync()
    await backup.make()
    const restored = backup.restore()
    await alice.sync()
    await taken(alice)
    await restored.place(own, { ...NOISE, seq: 1n, chainHash: new Uint8Array(32), at: 0n })
    backup.lie = (_, answer) => {
      if (answer.type !== "entries") return answer
      return { ...answer, entries: answer.entries.map((entry) => ({ ...entry, chainHash: new Uint8Array(32) })) }
    }
    await alice.sync()
    assert.deepEqual(
      (await taken(alice)).map(({ type }) => type),
      ["missing"],
    )
  })

  it("is given back a request to leave, without which nobody follows the commit that carries it out", async () => {
    await using backup = new Backup()
    const clients = (await backup.team("alice", "bob", "carol", "dave")) as [Client, Client, Client, Client]
    const [alice, bob, carol, dave] = clients
    await backup.make()
    await only(carol).leave()
    await settle(alice, bob)
    assert.deepEqual(only(alice).members, ["alice", "bob", "dave"])
    await carol.close()
    backup.restore()
    await pass(backup.world, 60_000, alice, bob)
    await dave.sync()
    assertOneGroup(alice, bob, dave)
    const told = (await taken(dave)).find(({ type }) => type === "members")
    assert.ok(told?.type === "members")
    assert.deepEqual([told.by, told.left], ["alice", ["carol"]])
  })

  it("is asked what it says of itself where it denies a log, and not where it does not know it", async () => {
    await using backup = new Backup()
    const [, bob] = (await backup.team("alice", "bob")) as [Client, Client]
    for (const type of ["notFound", "denied"] as const) {
      let asked = 0
      backup.lie = (request, answer) => {
        if (request.type === "service") asked++
        return request.type === "read" ? { type, groupId: request.groupId, reason: "no" } : answer
      }
      await bob.sync()
      assert.equal(asked > 0, type === "denied", `${type}: asked ${asked} times`)
    }
  })

  it("is not said to keep back what has its place before what was read and lost", async () => {
    await using backup = new Backup()
    const [alice, bob] = (await backup.team("alice", "bob")) as [Client, Client]
    await backup.make()
    for (const text of ["one", "two", "three"]) await only(alice).send(text)
    await settle(alice, bob)
    const restored = backup.restore()
    await alice.sync()
    const before = await restored.entries(only(alice))
    await only(alice).send("four")
    await taken(bob)
    // She tells the title again after it.
    const { seq: hidden } = (await restored.entries(only(alice)))[before.length]!
    backup.lie = (_, answer, to) => {
      if (answer.type !== "entries" || to !== "bob") return answer
      const entries = answer.entries.map((entry) => {
        if (entry.seq !== hidden) return entry
        return { ...entry, kind: "expired" as const, body: provider.hashes["SHA-256"]!.digest(entry.body) }
      })
      return { ...answer, entries }
    }
    await bob.sync()
    await only(alice).send("five")
    await bob.sync()
    assert.deepEqual((await texts(bob)).slice(-4), ["one", "two", "three", "five"])
    const rejected = (await taken(bob)).flatMap((it) => (it.type === "rejected" ? [it.code] : []))
    assert.deepEqual(rejected, [])
  })
})

const NOISE = { kind: "application", epoch: 0n, body: new Uint8Array(9), begins: undefined } as const
