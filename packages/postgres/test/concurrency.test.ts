import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { Appended, NewEntry, Operated, Store } from "@conclave/delivery/store"
import { sha256 } from "@conclave/testing/delivery"
import { noPostgres } from "@conclave/testing/servers"
import { authStore, type Database, deliveryStore, openDatabase } from "../src/index.js"
import {
  admitted,
  bytes,
  commitParts,
  isUnavailable,
  KEY,
  logOf,
  message,
  newGroup,
  opened,
  operator,
  postgres,
  sweepAll,
} from "./support.js"

describe("many gateways on one PostgreSQL", { skip: noPostgres }, () => {
  const server = postgres()

  /** Each with connections of its own. */
  async function gateways(test: Parameters<typeof opened>[0], count = 2, options = {}) {
    const first = await opened(test, server, options)
    const databases: Database[] = [first]
    while (databases.length < count) {
      const database = openDatabase(first.options)
      test.after(() => database.close())
      databases.push(database)
    }
    const stores: (Store & Operated)[] = []
    // All of them start at the same time.
    stores.push(...(await Promise.all(databases.map((database) => deliveryStore(database, sha256)))))
    return { stores, databases, options: first.options }
  }

  it("accept each entry once, in one dense chain, whatever comes together and again", async (test) => {
    const { stores } = await gateways(test, 3)
    const groups = ["a", "b", "c", "d", "e"]
    for (const name of groups) assert.deepEqual(await stores[0]!.createGroup(newGroup(name)), "created")
    const devices = ["x", "y", "z"].map((name) => bytes(name))
    const admissions = new Map<string, number>()
    const counting = (id: string) => () => {
      admissions.set(id, (admissions.get(id) ?? 0) + 1)
      return undefined
    }
    const first = new Map<string, Appended>()
    const keep = (id: string, answer: Appended) => {
      // The same entry has the same answer from every gateway.
      assert.deepEqual(answer, first.get(id) ?? answer)
      first.set(id, answer)
    }
    const messages = Array.from({ length: 400 }, (_, number) => {
      const [group, id] = [groups[number % groups.length]!, `message ${number}`]
      return { id, entry: message(group, id, { admit: counting(id), pastCommitsMax: 1_000_000 }) }
    })
    const writing = stores.map(async (store, index) => {
      const shuffled = [...messages].sort(() => Math.random() - 0.5)
      for (let start = 0; start < shuffled.length; start += 40) {
        await Promise.all(
          shuffled.slice(start, start + 40).map(async ({ id, entry }) => keep(id, await store.append(entry))),
        )
      }
      return index
    })
    /** Commits compete for their turn, and take devices in another order each. */
    const committing = stores.map(async (store, index) => {
      for (let number = 0, after = 0n; number < 60; number++) {
        const group = groups[number % groups.length]!
        const id = `commit ${index} ${number}`
        const recipients = [...devices].sort(() => Math.random() - 0.5)
        const commit = commitParts({ recipients, welcome: bytes(`welcome ${number % 3}`), inboxEntriesMax: 5 })
        for (;;) {
          const entry: NewEntry = { ...message(group, id, { kind: "commit", after, commit }), admit: counting(id) }
          const answer = await store.append(entry)
          if (answer.type === "accepted") keep(id, answer)
          if (answer.type !== "stale") break
          after = answer.lastCommitSeq
        }
        after = 0n
      }
    })
    const acknowledging = stores.map(async (store) => {
      for (let round = 0; round < 40; round++) {
        const device = devices[round % devices.length]!
        const head = await store.inboxHead(device)
        await store.acknowledgeInbox(device, head - 1n)
        const sweeping = { inbox: 0n, at: 1n, messages: 0n, log: 0n, groups: 0n, knocks: 0n, rowsMax: 10 }
        await store.sweep(sweeping)
      }
    })
    await Promise.all([...writing, ...committing, ...acknowledging])

    let entries = 0
    for (const name of groups) {
      const logs = await Promise.all(stores.map((store) => logOf(store, name)))
      for (const log of logs) assert.deepEqual(log, logs[0])
      entries += logs[0]!.length
    }
    const commits = 3 * 60
    assert.equal(entries, messages.length + commits)
    assert.equal([...first.values()].filter(({ type }) => type === "accepted").length, entries)
    // A message is asked for before its group is locked, at each gateway that it comes to; a commit once.
    for (const [id, count] of admissions) {
      const most = id.startsWith("message") ? stores.length : 1
      assert.ok(count <= most, `${id} was admitted ${count} times`)
    }
    let welcomes = 0n
    for (const device of devices) welcomes += await stores[0]!.inboxHead(device)
    assert.equal(welcomes, BigInt(commits * devices.length))
  })

  it("accept each entry once, while their connections are ended at any moment", async (test) => {
    const { stores, databases, options } = await gateways(test, 2)
    const groups = ["a", "b", "c"]
    for (const name of groups) await stores[0]!.createGroup(newGroup(name))
    const answers = new Map<string, Appended>()
    /** As a client does: the same again until there is an answer, from whatever gateway. */
    const insist = async (entry: NewEntry): Promise<Appended> => {
      for (let tried = 0; ; tried++) {
        const answer = await stores[tried % 2]!.append(entry).catch((error) => {
          isUnavailable(/connection|shutting down|cannot be reached/)(error)
          return undefined
        })
        if (answer !== undefined) return answer
      }
    }
    let isWriting = true
    const asOperator = await operator(test, options)
    const ending = (async () => {
      while (isWriting) {
        await asOperator.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE application_name = 'conclave' AND state <> 'idle' ORDER BY random() LIMIT 1`)
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
    })()
    const recipients = [bytes("device")]
    const writing = Array.from({ length: 12 }, async (_, writer) => {
      for (let number = 0; number < 20; number++) {
        const id = `${writer} ${number}`
        const entry = message(groups[number % 3]!, id)
        const commit = commitParts({ recipients, welcome: bytes(id) })
        for (let after = 0n; ; ) {
          const isCommit = number % 10 === 0
          const answer = await insist(isCommit ? { ...entry, kind: "commit", commit, after } : entry)
          answers.set(id, answer)
          if (answer.type !== "stale") break
          after = answer.lastCommitSeq
        }
      }
    })
    await Promise.all(writing)
    isWriting = false
    await ending
    assert.ok(databases.some(({ losses }) => losses > 2))
    const logs = new Map(await Promise.all(groups.map(async (name) => [name, await logOf(stores[1]!, name)] as const)))
    assert.equal([...logs.values()].flat().length, 12 * 20)
    for (const [id, answer] of answers) {
      assert.ok(answer.type === "accepted")
      const entry = logs.get(groups[Number(id.split(" ")[1]) % 3]!)![Number(answer.seq) - 1]!
      assert.deepEqual([entry.body, entry.chainHash], [bytes(`body of ${id}`), answer.chainHash])
    }
    assert.equal(await stores[0]!.inboxHead(bytes("device")), 12n * 2n)
  })

  it("hand out a key package once, and leave a knock once", async (test) => {
    const { stores } = await gateways(test, 3)
    const owner = { deviceId: bytes("device"), signatureKey: bytes("key"), cipherSuite: 1, at: 1n }
    const keyPackages = Array.from({ length: 60 }, (_, number) => ({
      ...{ ref: bytes(`ref ${number}`), keyPackage: bytes(`package ${number}`), notAfter: 100n },
    }))
    const publication = { ...owner, lastResort: undefined, replaces: false, withdrawnUntil: 0n, stockMax: 100 }
    await Promise.all(stores.map((store) => store.publishKeyPackages({ ...publication, keyPackages })))
    assert.deepEqual(await stores[0]!.countKeyPackages(owner), { count: 60, lastResort: false })
    const claims = await Promise.all(
      Array.from({ length: 90 }, (_, number) =>
        stores[number % 3]!.claimKeyPackage({ ...owner, lowStock: 5, lastResortOnly: false }),
      ),
    )
    const claimed = claims.flatMap((claim) =>
      claim === undefined ? [] : [Buffer.from(claim.keyPackage).toString("hex")],
    )
    assert.equal(claimed.length, 60)
    assert.equal(new Set(claimed).size, 60)
    // One notice of a low stock.
    assert.equal(await stores[0]!.inboxHead(owner.deviceId), 1n)

    await stores[0]!.createGroup(newGroup("group"))
    const knock = { groupId: bytes("group"), key: KEY, permit: admitted, since: 0n, at: 1n, sender: bytes("1", 8) }
    const left = await Promise.all(
      stores.flatMap((store) =>
        ["1", "2", "3"].map((id) =>
          store.knock({ ...knock, id: bytes(id, 16), sealed: bytes(id), ofKeyMax: 10, admit: admitted }),
        ),
      ),
    )
    assert.deepEqual(left.map(({ type }) => type).sort(), [...Array(3).fill("left"), ...Array(6).fill("repeated")])
    const standing = await stores[1]!.standing({ groupId: bytes("group"), key: KEY, permit: admitted })
    assert.equal(standing.type === "standing" && standing.beside, 3n)
  })

  it("many claims of one device leave the connections to others, and come in their order", async (test) => {
    const { stores, options } = await gateways(test, 1)
    const [store] = stores
    const owner = { deviceId: bytes("device"), signatureKey: bytes("key"), cipherSuite: 1, at: 1n }
    const names = Array.from({ length: 20 }, (_, number) => `${number}`)
    const keyPackages = names.map((name) => ({ ref: bytes(name), keyPackage: bytes(`of ${name}`), notAfter: 9n }))
    const publication = { ...owner, keyPackages, lastResort: undefined, replaces: false, withdrawnUntil: 0n }
    await store!.publishKeyPackages({ ...publication, stockMax: 100 })
    const holder = await operator(test, options)
    await holder.query("BEGIN; SELECT 1 FROM device FOR UPDATE")
    const claims = names.map(() => store!.claimKeyPackage({ ...owner, lowStock: 0, lastResortOnly: false }))
    await waitingFor(await operator(test, options), 1)
    // Ten connections, and twenty claims that wait.
    assert.equal(await store!.inboxHead(bytes("other")), 0n)
    await holder.query("COMMIT")
    const claimed = (await Promise.all(claims)).map((claim) => claim!.keyPackage)
    assert.deepEqual(
      claimed,
      keyPackages.map(({ keyPackage }) => keyPackage),
    )
  })

  it("make one group of an id, one identity, and one first device of a name", async (test) => {
    const { stores, databases } = await gateways(test, 3)
    const groups = await Promise.all(
      stores.map((store, index) => store.createGroup({ ...newGroup("group"), requestHash: bytes(`${index}`) })),
    )
    assert.deepEqual([...groups].sort(), ["created", "exists", "exists"])
    const again = await Promise.all(stores.map((store) => store.createGroup(newGroup("again"))))
    assert.deepEqual([...again].sort(), ["created", "repeated", "repeated"])
    const identities = await Promise.all(
      stores.map((store, index) =>
        store.identity({ seed: bytes(`${index}`), passSecret: bytes("pass"), incarnation: 1n, handovers: [] }),
      ),
    )
    assert.deepEqual(identities, Array(3).fill(identities[0]))
    const directories = await Promise.all(databases.map((database) => authStore(database)))
    const device = {
      name: "alice",
      cipherSuite: 1,
      signatureKey: bytes("key"),
      at: 1n,
      endorsement: undefined,
      devicesMax: 2,
    }
    const registered = await Promise.all(
      Array.from({ length: 9 }, (_, number) =>
        directories[number % 3]!.register({ ...device, deviceId: bytes(`device ${number}`) }),
      ),
    )
    assert.deepEqual(registered.map(({ type }) => type).sort(), [...Array(8).fill("nameTaken"), "registered"])
    const endorsement = { deviceId: bytes("device"), signature: bytes("signature") }
    const endorsed = await Promise.all(
      Array.from({ length: 6 }, (_, number) =>
        directories[number % 3]!.register({ ...device, deviceId: bytes(`second ${number}`), endorsement }),
      ),
    )
    assert.deepEqual(endorsed.map(({ type }) => type).sort(), ["registered", ...Array(5).fill("tooManyDevices")])
    const named = await Promise.all(
      Array.from({ length: 9 }, (_, at) =>
        directories[at % 3]!.setDisplayName("alice", { text: `${at}`, at: BigInt(at), ...endorsement }),
      ),
    )
    assert.ok(named.every((it) => "text" in it))
    assert.equal((await directories[0]!.displayName("alice"))!.text, "8")
  })

  it("close a group while others append to it, and nothing of it is left", async (test) => {
    const { stores, options } = await gateways(test, 2)
    await stores[0]!.createGroup(newGroup("group"))
    let accepted = 0
    const writing = stores.map(async (store, index) => {
      for (let number = 0; ; number++) {
        const commit = commitParts({ recipients: [bytes("device")] })
        const entry = message("group", `${index} ${number}`)
        const answer = await store.append(number % 3 === 0 ? { ...entry, kind: "commit", commit } : entry)
        if (answer.type === "notFound") return
        accepted++
      }
    })
    while (accepted < 100) await new Promise((resolve) => setTimeout(resolve, 1))
    assert.deepEqual((await Promise.all(stores.map((store) => store.closeGroup(bytes("group"))))).sort(), [false, true])
    await Promise.all(writing)
    const asOperator = await operator(test, options)
    for (const table of ["mls_group", "log", "message_body", "inbox", "blob", "access_interval"]) {
      assert.equal((await asOperator.query(`SELECT * FROM ${table}`)).rows.length, 0, table)
    }
  })

  for (const [table, mayDeliver] of [
    ["device", "asked where its lock is had"],
    ["blob", "asked before"],
  ]) {
    it(`a deadlock over a ${table} with another session ends, and no rule that grants is asked twice (${mayDeliver})`, async (test) => {
      const { stores, options } = await gateways(test, 1)
      const [store] = stores
      for (const name of ["before", "group"]) await store!.createGroup(newGroup(name))
      const asked = { permit: 0, admit: 0, mayDeliver: 0 }
      const asking = (what: keyof typeof asked, said: unknown) => () => {
        asked[what]++
        return said as never
      }
      // The device is known, and the Welcome waits for it already.
      const recipients = [bytes("device")]
      await store!.append(message("before", "1", { kind: "commit", commit: commitParts({ recipients }) }))
      const other = await operator(test, options)
      await other.query(`SET deadlock_timeout = '10s'; BEGIN; SELECT 1 FROM ${table} FOR UPDATE`)
      const rules = { permit: asking("permit", undefined), admit: asking("admit", undefined) }
      const commit = commitParts({ recipients, mayDeliver: asking("mayDeliver", true) })
      const appended = store!.append(message("group", "1", { kind: "commit", commit, ...rules }))
      // It has the group and waits; the other, the other way round. The one whose time is shorter gives way.
      await waitingFor(await operator(test, options), 1)
      const blocked = other
        .query("SELECT 1 FROM mls_group ORDER BY number DESC LIMIT 1 FOR UPDATE")
        .then(() => other.query("COMMIT"))
      await Promise.all([appended, blocked])
      assert.equal((await appended).type, "accepted")
      // Its transaction was run twice.
      assert.deepEqual(asked, { permit: 2, admit: 1, mayDeliver: 1 })
      assert.equal(await store!.inboxHead(bytes("device")), 2n)
    })
  }

  it("an entry whose rules throw is rejected alone, and the others of its transaction are not", async (test) => {
    const { stores } = await gateways(test, 1)
    const [store] = stores
    await store!.createGroup(newGroup("group"))
    const failing = () => {
      throw new Error("of its own")
    }
    const settled = await Promise.allSettled([
      store!.append(message("group", "1")),
      store!.append(message("group", "2", { permit: failing })),
      store!.append(message("group", "3", { admit: failing })),
      // Not below 2^63: no statement has such a parameter.
      store!.append(message("group", "4", { epoch: 1n << 63n })),
      store!.append(message("group", "5")),
    ])
    assert.deepEqual(
      settled.map(({ status }) => status),
      ["fulfilled", "rejected", "rejected", "rejected", "fulfilled"],
    )
    assert.deepEqual((await logOf(store!, "group")).length, 2)
  })

  it("appends that come together share transactions, and their groups' order is kept", async (test) => {
    const { stores, options } = await gateways(test, 1)
    const [store] = stores
    const asOperator = await operator(test, options)
    for (const name of ["a", "b", "c"]) await store!.createGroup(newGroup(name))
    await store!.append(message("a", "before"))
    await asOperator.query("TRUNCATE news")
    const answers = await Promise.all(
      Array.from({ length: 600 }, (_, number) => store!.append(message("abc"[number % 3]!, `${number}`))),
    )
    const { rows } = await asOperator.query("SELECT count(DISTINCT xid)::integer AS n FROM news")
    assert.ok(rows[0]!.n <= 12, `${rows[0]!.n} transactions`)
    const seqs = answers.map((answer) => (answer.type === "accepted" ? answer.seq : undefined))
    for (const group of [0, 1, 2]) {
      const ofGroup = seqs.filter((_, number) => number % 3 === group)
      assert.deepEqual(
        ofGroup,
        [...ofGroup].sort((a, b) => Number(a! - b!)),
      )
    }
  })

  it("takes no more than can wait, in number and in bytes", async (test) => {
    const { stores } = await gateways(test, 1)
    const [store] = stores
    await store!.createGroup(newGroup("group"))
    const body = new Uint8Array(1 << 20)
    const settled = await Promise.allSettled(
      Array.from({ length: 80 }, (_, number) => store!.append(message("group", `${number}`, { body }))),
    )
    const refused = settled.filter(({ status }) => status === "rejected") as PromiseRejectedResult[]
    assert.equal(refused.length, 80 - 64)
    for (const { reason } of refused) isUnavailable(/too much waits to be written/)(reason)
    assert.equal((await store!.append(message("group", "afterwards"))).type, "accepted")
  })

  it("a sweep of one and the writing of others end, and the sizes are right", async (test) => {
    const { stores, options } = await gateways(test, 2)
    const groups = ["a", "b", "c"]
    for (const name of groups) await stores[0]!.createGroup(newGroup(name))
    let isWriting = true
    const writing = stores.map(async (store, index) => {
      for (let number = 0; number < 200; number++) {
        const entry = message(groups[number % 3]!, `${index} ${number}`, { at: BigInt(number) })
        await store.append(number % 5 === 0 ? { ...entry, kind: "proposal" } : entry)
      }
    })
    const sweeping = stores.map(async (store) => {
      while (isWriting) await sweepAll(store, { messages: 0n, log: 0n, rowsMax: 7 })
    })
    await Promise.all(writing)
    isWriting = false
    await Promise.all(sweeping)
    await sweepAll(stores[1]!, { messages: 150n, log: 50n, rowsMax: 7 })
    const asOperator = await operator(test, options)
    const { rows } = await asOperator.query(`
      SELECT bytes::integer, (SELECT sum(200 + CASE WHEN kind = 1 AND at < 150 THEN 32 ELSE size END) FROM log
        WHERE group_number = number)::integer AS counted FROM mls_group`)
    for (const { bytes, counted } of rows) assert.equal(bytes, counted)
  })
})

/** Waits until so many sessions wait for locks. */
async function waitingFor(
  client: { query(sql: string): Promise<{ readonly rows: readonly unknown[] }> },
  count: number,
) {
  const waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'conclave'"
  while ((await client.query(waiting)).rows.length < count) await new Promise((resolve) => setTimeout(resolve, 5))
}
