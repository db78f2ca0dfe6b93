import assert from "node:assert/strict"
import { existsSync, statSync } from "node:fs"
import { join } from "node:path"
import { describe, it, type TestContext } from "node:test"
import { noAccess } from "@conclave/contracts/access"
import type { DeliveryResponse } from "@conclave/contracts/delivery"
import { deliveryStore, openDatabase } from "@conclave/sqlite"
import {
  commitRequest,
  createDevice,
  createGroup,
  createGroupRequest,
  createService,
  expectType,
  keyPackage,
  messageRequest,
  privateMessage,
  proved,
  random,
  sha256,
  type TestDevice,
  type TestService,
  temporaryFolder,
} from "@conclave/testing/delivery"
import { type DeliveryLimits, limitsForQuota, memoryStore, type RefusalKind } from "../src/index.js"
import { stores } from "./stores.js"

const [alice, mallory] = ["4c0000201", "4c6336401"]
const welcomesOf = async (service: TestService, device: TestDevice) => {
  const answer = await service.ask(proved(device, { type: "inbox", after: 0n, limit: 100 }, service.clock.now))
  return expectType(answer, "inboxEntries").entries.map(({ n, groupId }) => ({ n, groupId }))
}
const typesOf = (answers: readonly DeliveryResponse[]) => answers.map(({ type }) => type)

describe("what members of a group may append", () => {
  it("commits come at 1 a second after 5 at once, and waiting does not touch messages", async () => {
    const service = createService(memoryStore(sha256), { limits: { commits: { perSecond: 1, burst: 5 } } })
    const groupId = await createGroup(service)
    for (let epoch = 0n; epoch < 5n; epoch++) expectType(await service.ask(commitRequest(groupId, epoch)), "accepted")
    const next = commitRequest(groupId, 5n)
    assert.deepEqual(await service.ask(next), { type: "throttled", retryAfterMilliseconds: 1000 })
    expectType(await service.ask(messageRequest(groupId, 5n)), "accepted")
    service.clock.now += 1000
    expectType(await service.ask(next), "accepted")
  })

  it("a repeated or stale commit takes nobody's turn", async () => {
    const service = createService(memoryStore(sha256), { limits: { commits: { perSecond: 1, burst: 2 } } })
    const groupId = await createGroup(service)
    const [first, second] = [commitRequest(groupId, 0n), commitRequest(groupId, 1n)]
    expectType(await service.ask(first), "accepted")
    for (let i = 0; i < 5; i++) {
      assert.equal(expectType(await service.ask(first), "accepted").seq, 1n)
      expectType(await service.ask(commitRequest(groupId, 0n)), "stale")
    }
    expectType(await service.ask(second), "accepted")
    assert.equal(expectType(await service.ask(second), "accepted").seq, 2n)
  })

  it("one who commits without pause leaves the turns to others that wait", async () => {
    const service = createService(memoryStore(sha256), { limits: { commits: { perSecond: 1, burst: 5 } } })
    const groupId = await createGroup(service)
    let seq = 0n
    const attack = async () => {
      const answer = await service.askAs(mallory, commitRequest(groupId, seq))
      if (answer.type === "accepted") seq = answer.seq
      return answer.type
    }
    while ((await attack()) === "accepted");
    const remove = commitRequest(groupId, seq)
    expectType(await service.askAs(alice, remove), "throttled")
    service.clock.now += 1000
    // However often mallory asks first, the place is kept for alice.
    for (let i = 0; i < 20; i++) assert.equal(await attack(), "throttled")
    service.clock.now += 900
    assert.equal(await attack(), "throttled")
    expectType(await service.askAs(alice, remove), "accepted")
  })

  it("one requester has half of a group's appends, its network three quarters, and the rest is there for others", async () => {
    const limits = { appends: { perSecond: 1, burst: 8 }, appendsByRequester: { perSecond: 0.5, burst: 4 } }
    const service = createService(memoryStore(sha256), { limits })
    const groupId = await createGroup(service)
    const append = (peer: string, network: string) =>
      service.askFrom({ peer, network }, messageRequest(groupId, 0n)).then(({ type }) => type === "accepted")
    const accepted = async (peer: string, network: string) => {
      let count = 0
      while (await append(peer, network)) count++
      return count
    }
    assert.equal(await accepted("a", "attackers"), 4)
    assert.equal(await accepted("b", "attackers"), 2)
    assert.equal(await accepted("c", "attackers"), 0)
    assert.equal(await accepted("honest", "honest"), 2)
  })

  it("appends that are refused for what they say count for all groups of the requester", async () => {
    const limits = { appendsByRequesterInAll: { perSecond: 1, burst: 3 } }
    const service = createService(memoryStore(sha256), { limits })
    const groupId = await createGroup(service)
    const wrong = { ...messageRequest(groupId, 0n), body: random(40) }
    const answers = await Promise.all([1, 2, 3, 4].map(() => service.askAs(mallory, wrong)))
    assert.deepEqual(typesOf(answers), ["invalid", "invalid", "invalid", "throttled"])
    expectType(await service.askAs(alice, messageRequest(groupId, 0n)), "accepted")
  })

  it("proposals have a budget of their own, of which one requester has half", async () => {
    const limits = { proposals: { perSecond: 1, burst: 4 }, proposalsByRequester: { perSecond: 1, burst: 2 } }
    const service = createService(memoryStore(sha256), { limits })
    const groupId = await createGroup(service)
    const proposal = () => {
      const body = privateMessage({ groupId, epoch: 0n, kind: "proposal" })
      return { ...messageRequest(groupId, 0n), kind: "proposal", body } as const
    }
    const answers = await Promise.all([1, 2, 3].map(() => service.askAs(mallory, proposal())))
    assert.deepEqual(typesOf(answers), ["accepted", "accepted", "throttled"])
    expectType(await service.askAs(mallory, messageRequest(groupId, 0n)), "accepted")
    expectType(await service.askAs(alice, proposal()), "accepted")
  })
})

for (const [name, openStore] of Object.entries(stores)) {
  describe(`invitations (${name})`, () => {
    it("of some are not failed by one that cannot be invited; the answer names it, and a repetition too", async (test) => {
      const service = createService(openStore(test))
      const groupId = await createGroup(service)
      const [bob, nobody] = [service.register(createDevice()), createDevice()]
      const commit = commitRequest(groupId, 0n, { recipients: [bob, nobody] })
      for (let i = 0; i < 2; i++) {
        const accepted = expectType(await service.ask(commit), "accepted")
        assert.deepEqual([accepted.seq, accepted.undelivered], [1n, [nobody.deviceId]])
      }
      assert.deepEqual(await welcomesOf(service, bob), [{ n: 1n, groupId }])
    })

    it("from one requester to one device have a rate; beyond, the commit is accepted without them", async (test) => {
      const limits = { welcomesByRequester: { perSecond: 0.001, burst: 2 } }
      const service = createService(openStore(test), { limits })
      const [bob, carol] = [service.register(createDevice()), service.register(createDevice())]
      const undelivered: Uint8Array[][] = []
      for (const recipients of [[bob], [bob], [bob, carol]]) {
        const groupId = await createGroup(service)
        const answer = await service.askAs(mallory, commitRequest(groupId, 0n, { recipients }))
        undelivered.push([...expectType(answer, "accepted").undelivered])
      }
      assert.deepEqual(undelivered, [[], [], [bob.deviceId]])
      const groupId = await createGroup(service)
      const fromAlice = await service.askAs(alice, commitRequest(groupId, 0n, { recipients: [bob] }))
      assert.deepEqual(expectType(fromAlice, "accepted").undelivered, [])
    })

    it("in a full inbox displace the oldest of whoever has the most there, never shut others out", async (test) => {
      const service = createService(openStore(test), { limits: { inboxEntriesMax: 4 } })
      const bob = service.register(createDevice())
      const invite = async (peer: string) => {
        const groupId = await createGroup(service)
        const answer = await service.askAs(peer, commitRequest(groupId, 0n, { recipients: [bob] }))
        assert.deepEqual(expectType(answer, "accepted").undelivered, [])
        return groupId
      }
      const honest = await invite(alice)
      const junk: Uint8Array[] = []
      for (let i = 0; i < 10; i++) junk.push(await invite(mallory))
      const second = await invite("4cb007101")
      assert.deepEqual(
        (await welcomesOf(service, bob)).map(({ groupId }) => groupId),
        [honest, ...junk.slice(-2), second],
      )
    })

    it("into one group displace the oldest of them", async (test) => {
      const service = createService(openStore(test), { limits: { inboxEntriesPerGroupMax: 2 } })
      const bob = service.register(createDevice())
      const [other, groupId] = [await createGroup(service), await createGroup(service)]
      await service.ask(commitRequest(other, 0n, { recipients: [bob] }))
      for (let epoch = 0n; epoch < 4n; epoch++) await service.ask(commitRequest(groupId, epoch, { recipients: [bob] }))
      assert.deepEqual(await welcomesOf(service, bob), [
        { n: 1n, groupId: other },
        { n: 4n, groupId },
        { n: 5n, groupId },
      ])
    })

    it("into one group are not displaced by those of somebody else who knows its id", async (test) => {
      const service = createService(openStore(test), { limits: { inboxEntriesPerGroupMax: 3 } })
      const bob = service.register(createDevice())
      const groupId = await createGroup(service)
      for (let epoch = 0n; epoch < 6n; epoch++) {
        const commit = commitRequest(groupId, epoch, { recipients: [bob] })
        expectType(await service.askAs(epoch === 0n ? alice : mallory, commit), "accepted")
      }
      assert.deepEqual(await welcomesOf(service, bob), [
        { n: 1n, groupId },
        { n: 5n, groupId },
        { n: 6n, groupId },
      ])
    })
  })

  describe(`room (${name})`, () => {
    it("of a group is its own: a full one refuses messages, takes the commit that removes who filled it, and is read", async (test) => {
      const service = createService(openStore(test), { limits: { groupSizeMax: 10_000 } })
      const [full, other] = [await createGroup(service), await createGroup(service)]
      for (const size of [2_000, 40]) {
        while ((await service.ask(messageRequest(full, 0n, { size }))).type === "accepted");
      }
      assert.deepEqual(await service.ask(messageRequest(full, 0n, { size: 2_000 })), {
        type: "quotaExceeded",
        of: "group",
      })
      const { seq } = expectType(await service.ask(commitRequest(full, 0n)), "accepted")
      assert.equal(expectType(await service.ask({ type: "head", groupId: full }), "head").headSeq, seq)
      expectType(await service.ask(messageRequest(other, 0n, { size: 2_000 })), "accepted")
    })

    it("of one requester is so many bytes over time; others have theirs", async (test) => {
      const service = createService(openStore(test), {
        limits: { bytesByRequester: { perSecond: 100, burst: 20_000 } },
      })
      const groupId = await createGroup(service)
      let accepted = 0
      const ask = () => service.askAs(mallory, messageRequest(groupId, 0n, { size: 5_000 }))
      while ((await ask()).type === "accepted") accepted++
      assert.equal(accepted, 3)
      const wait = expectType(await ask(), "throttled").retryAfterMilliseconds
      expectType(await service.askAs(alice, messageRequest(groupId, 0n, { size: 5_000 })), "accepted")
      service.clock.now += wait
      expectType(await ask(), "accepted")
    })
  })
}

describe("the room of a whole service", () => {
  it("is limited on the disk: appends, groups and key packages are refused, reading goes on, and so do removals", async (test) => {
    const { file, database, service } = await openLimited(test, 2 * 1024 * 1024)
    const bob = service.register(createDevice())
    const groupId = await createGroup(service)
    let answer: DeliveryResponse
    do answer = await service.ask(messageRequest(groupId, 0n, { size: 20_000 }))
    while (answer.type === "accepted")
    const full = { type: "quotaExceeded", of: "service" }
    assert.deepEqual(answer, full)
    do answer = await service.ask(createGroupRequest(random(32)))
    while (answer.type === "done")
    assert.deepEqual(answer, full)
    const keyPackages = Array.from({ length: 100 }, () => keyPackage(bob))
    const publish = {
      type: "publishKeyPackages",
      cipherSuite: 1,
      keyPackages,
      lastResort: undefined,
      replaces: false,
    } as const
    assert.deepEqual(await service.ask(proved(bob, publish)), full)
    const { seq } = expectType(await service.ask(commitRequest(groupId, 0n)), "accepted")
    const read = { type: "read", groupId, afterSeq: seq - 1n, limit: 1 } as const
    assert.equal(expectType(await service.ask(read), "entries").entries.length, 1)
    database.checkpoint()
    assert.ok(bytesOnDisk(file) <= 2 * 1024 * 1024, `${bytesOnDisk(file)} bytes`)
  })

  it("is not filled by a few networks, each within its share: who has stored little finds room", async (test) => {
    const sizeMax = 8 * 1024 * 1024
    const { service } = await openLimited(test, sizeMax, limitsForQuota(sizeMax))
    const groupId = await createGroup(service)
    const networks = ["4c0000a", "4c0000b", "4c0000c", "4c0000d", "4c0000e", "4c0000f"]
    for (const network of networks) {
      for (const host of [1, 2, 3, 4, 5]) {
        const requester = { peer: `${network}${host}`, network }
        const full = await createGroup(service)
        for (const size of [200_000, 20_000, 2_000]) {
          while ((await service.askFrom(requester, messageRequest(full, 0n, { size }))).type === "accepted");
        }
      }
    }
    for (let n = 0; n < 10; n++) {
      expectType(await service.askAs(alice, messageRequest(groupId, 0n, { size: 1_000 })), "accepted")
    }
  })

  it("is limited by SQLite itself as well, for what nobody counts, also after a restart", async (test) => {
    const sizeMax = 2 * 1024 * 1024
    const file = join(temporaryFolder(test), "service.db")
    for (const limit of [sizeMax / 2, sizeMax]) {
      await using database = openDatabase({ file, sizeMax: limit })
      // The second time there is nothing to migrate.
      database.migrate("test", ["CREATE TABLE junk (body BLOB)"])
      const insert = () => database.write((connection) => connection.run("INSERT INTO junk VALUES (zeroblob(50000))"))
      await assert.rejects(async () => {
        for (let size = 0; size < 2 * sizeMax; size += 50_000) await insert()
      }, /disk is full/)
      assert.ok(bytesOnDisk(file) <= limit, `${bytesOnDisk(file)} bytes`)
    }
  })
})

describe("an operator", () => {
  it("is told of each kind of refusal, and not by whom", async () => {
    const told: RefusalKind[] = []
    const limits = {
      appendsByRequester: { perSecond: 1, burst: 1 },
      creationsByRequester: { perSecond: 1, burst: 1 },
      claimsByRequester: { perSecond: 1, burst: 1 },
      denialsByRequester: { perSecond: 1, burst: 1 },
      knocksByRequester: { perSecond: 1, burst: 1 },
    }
    const service = createService(memoryStore(sha256), { limits, onRefusal: (kind) => told.push(kind) })
    const groupId = await createGroup(service)
    const claim = { type: "claimKeyPackage", deviceId: random(32), cipherSuite: 1 } as const
    for (let i = 0; i < 2; i++) {
      await service.askAs(mallory, messageRequest(groupId, 0n))
      await service.askAs(mallory, createGroupRequest(random(32)))
      await service.askAs(mallory, claim)
    }
    await service.askBytes(Uint8Array.of(0x82))
    const late = proved(service.register(createDevice()), { type: "inbox", after: 0n, limit: 1 }, 1)
    expectType(await service.ask(late), "wrongTime")
    const head = { type: "head", groupId, access: noAccess } as const
    for (let i = 0; i < 2; i++) await service.askAs(mallory, head)
    const knock = () => ({ type: "knock", groupId, id: random(16), sealed: random(9) }) as const
    for (let i = 0; i < 2; i++) await service.askAs(alice, knock())
    const kinds = ["appends", "creations", "claims", "version", "wrongTime", "denied", "denials", "knocks"]
    assert.deepEqual(told, kinds)
  })
})

async function openLimited(test: TestContext, sizeMax: number, limits: Partial<DeliveryLimits> = {}) {
  const file = join(temporaryFolder(test), "service.db")
  const database = openDatabase({ file, sizeMax })
  test.after(() => database.close())
  return { file, database, service: createService(deliveryStore(database, sha256), { limits }) }
}

const bytesOnDisk = (file: string) =>
  [file, `${file}-wal`, `${file}-shm`].reduce((sum, path) => sum + (existsSync(path) ? statSync(path).size : 0), 0)
