import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { decode, encode } from "@conclave/codec"
import type { Entry } from "@conclave/contracts/delivery"
import { logChainStart } from "@conclave/contracts/log-chain"
import { dangerouslyAcceptAll, type Group } from "@conclave/mls"
import { MLSMessage } from "@conclave/mls/wire"
import { TransportError } from "@conclave/transport"
import { entranceDue } from "../src/conversation/entrance.js"
import { intervalIn } from "../src/conversation/epoch-interval.js"
import type { ConversationHandle } from "../src/device/handle.js"
import type { Client } from "../src/index.js"
import { recordKeys, StoredHandshake } from "../src/records/records.js"
import { Backup, hiddenUntilAppended, only, pass, texts, told } from "./support/backup.js"
import { Mallory } from "./support/mallory.js"
import { assertOneGroup } from "./support/team.js"
import { type Branch, settle, taken } from "./support/world.js"

const TEN_MINUTES = 600_000

const stateOf = (client: Client) => (only(client) as ConversationHandle).driver.state

/** The line of one client is broken where it asks about a log. */
function cut(backup: Backup, name: string): void {
  backup.lie = (request, answer, to) => {
    const isOfLog = request.type === "read" || request.type === "head" || request.type === "subscribe"
    if (to === name && isOfLog) throw new TransportError("the line is broken", { retryable: true })
    return answer
  }
}

interface Scene {
  readonly alice: Client
  readonly carol: Client
  readonly dave: Client
  /** Bob, who keeps to no rule, in Dave's first epoch. */
  readonly mallory: Mallory
  readonly group: Group
  readonly restored: Branch
  /** Those who have followed Dave's entrance look, and give it back. */
  readonly giveBack: () => Promise<void>
}

/** Alice has added Dave, who has opened the Welcome and has not read the log; the service has lost the commit. */
async function lostEntrance(backup: Backup): Promise<Scene> {
  const [alice, bob, carol] = (await backup.team("alice", "bob", "carol")) as [Client, Client, Client]
  const dave = await backup.open("dave")
  await backup.make()
  cut(backup, "dave")
  await only(alice).invite("dave")
  await settle(alice, bob, carol)
  await dave.sync().catch(() => {})
  assert.equal(stateOf(dave).entrance?.isSeen, false)
  const { mallory, group } = await Mallory.inside(backup.world, bob)
  backup.lie = (_, answer) => answer
  const restored = backup.restore()
  for (const client of [alice, carol, dave]) await taken(client)
  return { alice, carol, dave, mallory, group, restored, giveBack: () => pass(backup.world, 60_000, alice, carol) }
}

/** A commit of hers in this epoch, in the restored log; `begins`: it renews her keys. */
async function commitIn(
  { mallory, group, restored, alice }: Pick<Scene, "mallory" | "group" | "restored" | "alice">,
  { begins }: { readonly begins: boolean },
): Promise<void> {
  const { epoch } = group
  const changes = begins
    ? { path: true }
    : { add: [new Mallory(mallory.surroundings, "mona").keyPackage()], path: false }
  const commit = group.commit(changes)
  group.apply(commit, dangerouslyAcceptAll(commit.claims))
  const interval = begins ? { accessKey: intervalIn(group).accessKey, removes: false } : undefined
  const entry = { kind: "commit", epoch, body: commit.message, begins: interval } as Entry
  await restored.place(only(alice), entry)
}

describe("the commit by which a newcomer came in, where the service has lost it before it was read", () => {
  it("is waited for: a member's commit of the newcomer's first epoch before it leads nobody on", async () => {
    await using backup = new Backup()
    const scene = await lostEntrance(backup)
    const { alice, carol, dave, giveBack } = scene
    await commitIn(scene, { begins: false })
    await pass(backup.world, 30_000, dave)
    assert.equal(only(dave).epoch, scene.group.epoch - 1n)
    await giveBack()
    await pass(backup.world, 30_000, dave)
    // It has been missed, and is there: nothing is due any more.
    assert.notEqual(stateOf(dave).entrance?.missedAt, undefined)
    assert.equal(entranceDue(stateOf(dave), backup.world.now), undefined)
    await pass(backup.world, TEN_MINUTES, alice, carol, dave)
    assertOneGroup(alice, carol, dave)
    assert.deepEqual(await told(dave), ["restored", "rejected UNREADABLE"])
    assert.deepEqual(await told(carol), ["restored", "rejected UNREADABLE"])
    await only(dave).send("I followed the same")
    await settle(alice, carol, dave)
    assert.equal((await texts(carol)).at(-1), "I followed the same")
  })

  it("is waited for after a restart of the program, too", async () => {
    await using backup = new Backup()
    const scene = await lostEntrance(backup)
    const { alice, carol, giveBack } = scene
    await commitIn(scene, { begins: false })
    await scene.dave.sync()
    await scene.dave[Symbol.asyncDispose]()
    const dave = await backup.open("dave")
    await giveBack()
    await pass(backup.world, TEN_MINUTES, alice, carol, dave)
    assertOneGroup(alice, carol, dave)
  })

  it("is waited for no longer where a commit before it registers a key: the newcomer follows neither, and knocks", async () => {
    await using backup = new Backup()
    const scene = await lostEntrance(backup)
    const { alice, carol, dave } = scene
    await commitIn(scene, { begins: true })
    const { epoch } = only(dave)
    await pass(backup.world, 60_000, dave, alice, carol)
    for (const client of [alice, carol]) assert.deepEqual(await told(client), ["restored", "stopped"])
    assert.deepEqual(await told(dave), ["restored", "stuck"])
    assert.equal(only(dave).epoch, epoch)
  })

  it("is not taken for another commit of its epoch", async () => {
    await using backup = new Backup()
    const [alice, bob, carol] = (await backup.team("alice", "bob", "carol")) as [Client, Client, Client]
    const dave = await backup.open("dave")
    await backup.make()
    // Of the epoch before Dave's first.
    const before = await Mallory.inside(backup.world, bob)
    cut(backup, "dave")
    await only(alice).invite("dave")
    await settle(alice, bob, carol)
    await dave.sync().catch(() => {})
    const after = await Mallory.inside(backup.world, bob)
    backup.lie = (_, answer) => answer
    const restored = backup.restore()
    await commitIn({ ...before, restored, alice }, { begins: false })
    await commitIn({ ...after, restored, alice }, { begins: false })
    await pass(backup.world, 30_000, dave)
    assert.equal(stateOf(dave).entrance?.isSeen, false)
    assert.equal(only(dave).epoch, after.group.epoch - 1n)
  })

  it("is waited for ten minutes, in which nothing is sent: then the newcomer knocks, and is let in", async () => {
    await using backup = new Backup()
    const { alice, carol, dave, restored, giveBack } = await lostEntrance(backup)
    const sending = only(dave).send("is anybody here?")
    const before = await restored.entries(only(carol))
    await pass(backup.world, TEN_MINUTES, dave)
    assert.deepEqual(await told(dave), ["restored"])
    assert.deepEqual(await restored.entries(only(carol)), before)
    await pass(backup.world, 30_000, dave)
    assert.deepEqual(await told(dave), ["stuck"])
    await giveBack()
    await pass(backup.world, TEN_MINUTES, alice, carol, dave)
    assertOneGroup(alice, carol, dave)
    await sending
    assert.equal((await texts(carol)).at(-1), "is anybody here?")
  })
})

describe("a newcomer from whose commit on the service keeps nothing any more", () => {
  it("follows no other commit of its first epoch, also where the service was restored: it asks to be let in", async () => {
    await using backup = new Backup()
    const scene = await lostEntrance(backup)
    const { alice, carol, dave, giveBack, group } = scene
    const { epoch } = group
    await commitIn(scene, { begins: false })
    await giveBack()
    const { joinedAt } = stateOf(dave).facts
    backup.lie = (request, answer, to) => {
      if (to !== "dave" || request.type !== "read" || request.afterSeq >= joinedAt) return answer
      return { type: "belowRetention", groupId: request.groupId, oldestSeq: joinedAt + 1n }
    }
    await pass(backup.world, 30_000, dave)
    assert.equal(only(dave).epoch, epoch)
    await pass(backup.world, 2 * TEN_MINUTES, alice, carol, dave)
    assertOneGroup(alice, carol, dave)
  })

  it("takes the log up with that commit where older entries alone are gone", async () => {
    await using backup = new Backup()
    const { alice, bob, dave, keepFrom } = await invitedBehind(backup)
    const isAsked = keepFrom(0n)
    await only(alice).send("hello, Dave")
    await settle(alice, bob, dave)
    assert.equal(isAsked(), true)
    assert.deepEqual(await told(dave), ["joined", "title"])
    assert.deepEqual(await texts(dave), ["hello, Dave"])
    assert.equal(stateOf(dave).entrance?.isSeen, true)
  })

  it("asks to be let in where that commit is gone with them", async () => {
    await using backup = new Backup()
    const { alice, bob, dave, keepFrom } = await invitedBehind(backup)
    const isAsked = keepFrom(1n)
    await dave.sync()
    assert.equal(stateOf(dave).position.cursor < stateOf(dave).facts.joinedAt - 1n, true)
    assert.equal(isAsked(), true)
    await pass(backup.world, 60_000, dave, alice, bob)
    await settle(alice, bob, dave)
    assert.equal((await told(dave)).includes("recovered"), true)
    assertOneGroup(alice, bob, dave)
  })
})

describe("a commit that no Welcome names, as those of earlier versions", () => {
  for (const [what, after] of [
    ["older entries alone are gone", 0n],
    ["it is gone with them", 1n],
  ] as const) {
    it(`is passed to what comes after it, where ${what}`, async () => {
      await using backup = new Backup()
      const { alice, bob, dave, keepFrom } = await invitedBehind(backup)
      stateOf(dave).entrance = undefined
      const isAsked = keepFrom(after)
      await only(alice).send("hello, Dave")
      await settle(alice, bob, dave)
      assert.equal(isAsked(), true)
      assert.deepEqual(await told(dave), ["joined", "title"])
      assert.deepEqual(await texts(dave), ["hello, Dave"])
    })
  }

  for (const [what, back] of [
    ["what was said before it", 1n],
    ["a commit of another epoch", 5n],
  ] as const) {
    it(`is not given back from where the service says that it is, and where ${what} is`, async () => {
      await using backup = new Backup()
      const { alice, bob, dave } = await invitedBehind(backup)
      backup.lie = (_, answer) => answer
      const { state, means } = (only(dave) as ConversationHandle).driver
      state.entrance = undefined
      const joinedAt = state.facts.joinedAt - back
      // What the inviter claims to have read is before all of that.
      const start = logChainStart((...parts) => means.identity.sha256(...parts), state.id)
      state.position.move({ cursor: 0n, chainHash: start, lastCommit: 0n })
      state.chain.start(0n, start)
      state.facts = { ...state.facts, joinedAt }
      await settle(alice, bob, dave)
      const kept = await means.store.list(recordKeys.kept(state.key))
      assert.ok(state.position.cursor > joinedAt)
      assert.ok(kept.every(([, record]) => decode(StoredHandshake, record).seq !== joinedAt))
    })
  }
})

/**
 * Alice has invited Dave and had not read the last messages before that: what she claims to have read is before them. `keepFrom`: the
 * service keeps nothing for Dave before his commit, or so many entries after that.
 */
async function invitedBehind(backup: Backup) {
  const [alice, bob] = (await backup.team("alice", "bob")) as [Client, Client]
  const dave = await backup.open("dave")
  const { cursor } = stateOf(alice).position
  for (const text of ["one", "two"]) await only(bob).send(text)
  const hide = hiddenUntilAppended("alice", cursor)
  backup.lie = (request, answer, to) => {
    if (to === "dave" && request.type === "read") throw new TransportError("the line is broken", { retryable: true })
    return hide(request, answer, to)
  }
  await only(alice).invite("dave")
  await settle(alice, bob)
  await dave.sync().catch(() => {})
  const { joinedAt } = stateOf(dave).facts
  assert.equal(stateOf(dave).position.cursor < joinedAt - 1n, true)
  const keepFrom = (after: bigint) => {
    let isAsked = false
    const oldestSeq = joinedAt + after
    backup.lie = (request, answer, to) => {
      if (to !== "dave" || request.type !== "read" || answer.type !== "entries") return answer
      if (request.afterSeq + 1n >= oldestSeq) return answer
      isAsked = true
      return { type: "belowRetention", groupId: request.groupId, oldestSeq }
    }
    return () => isAsked
  }
  return { alice, bob, dave, keepFrom }
}

/** A line that carries nothing. */
function silence(backup: Backup, name: string): void {
  backup.lie = (_, answer, to) => {
    if (to === name) throw new TransportError("the line is broken", { retryable: true })
    return answer
  }
}

describe("a newcomer who waits for that commit", () => {
  it("looks once more before giving up, after a time without a line", async () => {
    await using backup = new Backup()
    const { alice, carol, dave, giveBack } = await lostEntrance(backup)
    await dave.sync()
    silence(backup, "dave")
    await giveBack()
    await pass(backup.world, TEN_MINUTES + 60_000, dave)
    backup.lie = (_, answer) => answer
    await pass(backup.world, 60_000, dave)
    assertOneGroup(alice, carol, dave)
    assert.ok(!(await told(dave)).includes("stuck"))
  })

  it("goes on waiting where the clock is set back by a little, and not where it is by hours", async () => {
    for (const [back, expected] of [
      [1_000, ["restored"]],
      [3_600_000, ["restored", "stuck"]],
    ] as const) {
      await using backup = new Backup()
      const { dave } = await lostEntrance(backup)
      await dave.sync()
      backup.world.now -= back
      await pass(backup.world, 30_000, dave)
      assert.deepEqual(await told(dave), expected)
    }
  })

  it("does not ask without a pause where the service shows what is read already", async () => {
    await using backup = new Backup()
    const { dave, restored, carol } = await lostEntrance(backup)
    await dave.sync()
    const entries = await restored.entries(only(carol))
    let reads = 0
    backup.lie = (request, answer, to) => {
      if (to !== "dave" || request.type !== "read" || answer.type !== "entries") return answer
      if (++reads > 1_000) throw new TransportError("it asks for ever", { retryable: false })
      return { ...answer, entries: answer.entries.length > 0 ? answer.entries : entries.slice(-1) }
    }
    await pass(backup.world, TEN_MINUTES + 30_000, dave)
    assert.ok(reads < 500, `${reads}`)
    assert.ok((await told(dave)).includes("stuck"))
  })

  it("is let in where a member has encrypted it once more, and the others follow that", async () => {
    await using backup = new Backup()
    const [alice, bob, carol] = (await backup.team("alice", "bob", "carol")) as [Client, Client, Client]
    const dave = await backup.open("dave")
    await backup.make()
    const { encryptAgain, mallory } = await rememberingKeys(backup, bob)
    cut(backup, "dave")
    await only(alice).invite("dave")
    await dave.sync().catch(() => {})
    const entrance = (await backup.world.branch.entries(only(alice))).findLast(({ kind }) => kind === "commit")!
    backup.lie = (_, answer) => answer
    const restored = backup.restore()
    await restored.place(only(carol), { ...entrance, body: encryptAgain(entrance.body) })
    await pass(backup.world, 2 * TEN_MINUTES, carol, dave, alice)
    assertOneGroup(alice, carol, dave)
    assert.ok(mallory.name === "bob" && !(await told(dave)).includes("stopped"))
  })
})

/** Bob, who keeps the keys of what he opens. */
async function rememberingKeys(backup: Backup, bob: Client) {
  const opened: {
    readonly key: Uint8Array
    readonly nonce: Uint8Array
    readonly plain: Uint8Array
    aad: Uint8Array
  }[] = []
  const { mallory, group } = await Mallory.inside(backup.world, bob, (suite) => ({
    ...suite,
    aead: {
      ...suite.aead,
      open(key, nonce, ciphertext, aad) {
        const plain = suite.aead.open(key, nonce, ciphertext, aad)
        if (plain !== undefined)
          opened.push({ key: key.slice(), nonce: nonce.slice(), plain: plain.slice(), aad: aad.slice() })
        return plain
      },
    },
  }))
  /** With the same key and nonce, and one zero more. */
  const encryptAgain = (body: Uint8Array): Uint8Array => {
    group.receive(body)
    const message = decode(MLSMessage, body)
    if (message.wireFormat.type !== "mlsPrivateMessage") throw new TypeError("it is public")
    const { privateMessage } = message.wireFormat
    const { key, nonce, plain, aad } = opened.at(-1)!
    const ciphertext = group.suite.aead.seal(key, nonce, Uint8Array.of(...plain, 0), aad)
    return encode(MLSMessage, {
      ...message,
      wireFormat: { ...message.wireFormat, privateMessage: { ...privateMessage, ciphertext } },
    })
  }
  return { encryptAgain, mallory }
}

describe("the commit by which a newcomer came in", () => {
  for (const [where, away] of [
    ["later than it is", 1n],
    ["earlier than it is", -2n],
  ] as const) {
    it(`is found where it stands when the service tells a place ${where}`, async () => {
      await using backup = new Backup()
      const [alice, bob] = (await backup.team("alice", "bob")) as [Client, Client]
      const dave = await backup.open("dave")
      for (const text of ["one", "two", "three"]) await only(alice).send(text)
      await settle(alice, bob)
      backup.lie = (_, answer, to) => {
        if (to !== "dave" || answer.type !== "inboxEntries") return answer
        const moved = answer.entries.map((it) => (it.kind === "welcome" ? { ...it, seq: it.seq + away } : it))
        return { ...answer, entries: moved }
      }
      await only(alice).invite("dave")
      await only(alice).send("hello, Dave")
      await settle(alice, bob, dave)
      assert.equal(stateOf(dave).entrance?.isSeen, true)
      assert.deepEqual(await told(dave), ["joined", "title"])
      assert.deepEqual(await texts(dave), ["hello, Dave"])
      assertOneGroup(alice, bob, dave)
    })
  }
})

describe("the commit by which a member was let in again, where the service has lost it", () => {
  it("is waited for: the member is told once, follows no other commit of the epoch before it, and is let in again", async () => {
    await using backup = new Backup()
    const [alice, bob, carol] = (await backup.team("alice", "bob", "carol")) as [Client, Client, Client]
    const dave = await backup.open("dave")
    await only(alice).invite("dave")
    await settle(alice, bob, carol, dave)
    const scene = await letInAgain(backup, { alice, bob, carol, dave })
    await commitIn(scene, { begins: false })
    await pass(backup.world, 30_000, dave)
    assert.equal(only(dave).epoch, scene.group.epoch - 1n)
    await pass(backup.world, 60_000, alice, carol)
    await pass(backup.world, TEN_MINUTES, alice, carol, dave)
    await settle(alice, carol, dave)
    assertOneGroup(alice, carol, dave)
    const said = await told(dave)
    assert.deepEqual(said.slice(0, 4), ["restored", "missing", "stuck", "recovered"])
    assert.ok(!said.includes("rejected UNREADABLE") && !said.slice(4).includes("missing"), `${said}`)
  })
})

/** Dave cannot follow a commit, has knocked, and was let in; the service has lost the answer. */
async function letInAgain(
  backup: Backup,
  { alice, bob, carol, dave }: { readonly [name in "alice" | "bob" | "carol" | "dave"]: Client },
): Promise<Pick<Scene, "mallory" | "group" | "restored" | "alice">> {
  const lost = { retryable: true }
  backup.lie = (request, answer, to) => {
    if (to !== "dave" || request.type !== "read" || answer.type !== "entries") return answer
    return { type: "belowRetention", groupId: answer.groupId, oldestSeq: 1_000n }
  }
  await only(alice).send("what Dave cannot follow")
  await dave.sync()
  backup.lie = (_, answer) => answer
  await backup.make()
  await carol.sync()
  await settle(alice, bob)
  const { mallory, group } = await Mallory.inside(backup.world, bob)
  // He renews his leaf at once, and does not hear whether the service has taken that.
  backup.lie = (request, answer, to) => {
    if (to === "dave" && request.type === "append") throw new TransportError("the line is broken", lost)
    return answer
  }
  await dave.sync().catch(() => {})
  assert.ok((await told(dave)).includes("recovered"))
  backup.lie = (_, answer) => answer
  return { mallory, group, restored: backup.restore(), alice }
}
