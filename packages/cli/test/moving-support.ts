import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { nodeProvider } from "@conclave/crypto/node"
import { raiseIncarnation } from "@conclave/delivery"
import { keeping, type NewEntry, retiring, type Shown, type Store } from "@conclave/delivery/store"
import { authStore, blobStore, deliveryStore, openDatabase, pushStore } from "@conclave/sqlite"

export const sha256 = (...parts: readonly Uint8Array[]) => nodeProvider().hashes["SHA-256"]!.digest(...parts)
export const bytes = (text: string, size = 32) =>
  Uint8Array.from(createHash("sha256").update(text).digest()).subarray(0, size)

const permit = () => undefined
export const KEY = bytes("access key")
const HOUR = 3_600_000n

const message = (group: string, id: string, more: Partial<NewEntry> = {}): NewEntry => ({
  groupId: bytes(group),
  key: KEY,
  permit,
  idempotencyId: bytes(id, 16),
  requestHash: bytes(id),
  kind: "application",
  epoch: 1n,
  body: Buffer.from(`body of ${id}`),
  at: BigInt(Date.now()),
  after: 0n,
  pastCommitsMax: 1000,
  commit: undefined,
  admit: ({ budgets }) => ({ type: "admitted", budgets: { ...budgets, appends: Date.now() + 0.25 } }),
  ...more,
})

const create = (store: Store, group: string, at: bigint) =>
  store.createGroup({
    ...{ groupId: bytes(group), idempotencyId: bytes("created", 16), requestHash: bytes("request"), accessKey: KEY },
    at,
    admit: permit,
  })

/** A blob and a push registration of a group, where a service of the file has them. */
export async function fillBeside(file: string): Promise<void> {
  const [groupId, at, until] = [bytes("old"), BigInt(Date.now()), BigInt(Date.now()) + HOUR]
  const body = bytes("blob")
  const named = { id: bytes("id"), groupId, at }
  await using blobs = blobStore(openDatabase({ file: `${file}.blobs` }))
  await blobs.create({ ...named, size: 32n, deletion: bytes("token"), until, wholeBefore: until, admit: permit })
  const chunk = { offset: 0n, bytes: body, hash: sha256(body), wholeBefore: until, isRight: () => true, admit: permit }
  await blobs.put({ ...named, ...chunk })
  await using database = openDatabase({ file })
  const endpoint = "https://push.example.org/"
  await pushStore(database).register({
    ...{ groupId, id: bytes("push", 16), version: bytes("version", 8), toldUpTo: 0n, key: KEY, at, until },
    ...{ kind: "webhook", endpoint, parameters: bytes("p"), removal: bytes("r"), sender: bytes("s", 8), admit: permit },
  })
}

/**
 * Fills a file with what a service can have in it, as of the last hours: several incarnations, logs whose messages have expired
 * and whose beginning is gone, knocks and their answers, Welcomes that wait, key packages that were handed out.
 */
export async function fillFile(file: string): Promise<void> {
  await using database = openDatabase({ file })
  const auth = authStore(database)
  const store = deliveryStore(database, sha256)
  const now = BigInt(Date.now())
  const crypto = nodeProvider()
  for (const to of [5n, 77n]) await raiseIncarnation(store, crypto, { to })

  await create(store, "gone", now - 9n * HOUR)
  await store.append(message("gone", "forgotten", { at: now - 9n * HOUR }))
  await create(store, "old", now - 5n * HOUR)
  const commit = (begins: string | undefined, removes = false): NewEntry["commit"] => ({
    welcome: bytes("welcome"),
    recipients: [bytes("device 1"), bytes("device 2")],
    unserved: [bytes("device 3")],
    begins: begins === undefined ? undefined : { accessKey: bytes(begins), removes },
    answers: undefined,
    knocksSince: 0n,
    sender: bytes("sender", 8),
    inboxEntriesMax: 1000,
    inboxEntriesPerGroupMax: 1000,
    mayDeliver: () => true,
  })
  for (let n = 0; n < 3; n++) await store.append(message("old", `early ${n}`, { at: now - 5n * HOUR }))
  const first = await store.append(
    message("old", "commit 1", { kind: "commit", at: now - 4n * HOUR, commit: commit("second key") }),
  )
  assert.ok(first.type === "accepted" && first.undelivered.length === 1)
  const shown = { key: bytes("second key"), after: first.seq }
  for (let n = 0; n < 3; n++) await store.append(message("old", `late ${n}`, { ...shown, at: now - 3n * HOUR }))
  await store.append(message("old", "proposal", { ...shown, kind: "proposal" }))

  // Messages of the first hours expire, and so does the beginning of the log.
  const horizons = { at: 0n, inbox: 0n, knocks: 0n, rowsMax: 1000 }
  await store.sweep({ ...horizons, messages: now - 2n * HOUR, log: now - 4n * HOUR - 1n, groups: now - 8n * HOUR })

  const knock = (id: string, more: object = {}) =>
    store.knock({
      ...{ groupId: bytes("old"), key: bytes("second key"), permit, id: bytes(id, 16), sealed: bytes(`sealed ${id}`) },
      ...{ since: 0n, at: now, sender: bytes("sender", 8), ofKeyMax: 10 },
      admit: ({ budgets }) => ({ type: "admitted", budgets: { ...budgets, knocks: 12.5 } }),
      ...more,
    })
  for (const id of ["a", "b", "c"]) assert.equal((await knock(id)).type, "left")
  const answers = { to: [{ knock: bytes("b", 16), key: bytes("sealed key") }], welcome: bytes("answering welcome") }
  const answering = message("old", "commit 2", {
    ...shown,
    kind: "commit",
    commit: { ...commit("third key", true)!, answers },
  })
  assert.equal((await store.append(answering)).type, "accepted")
  await store.append(message("old", "live", { key: bytes("third key"), after: first.seq + 5n }))

  for (const id of ["device 1", "device 2"]) {
    await store.publishKeyPackages({
      ...{ deviceId: bytes(id), signatureKey: bytes(`key of ${id}`), cipherSuite: 1, replaces: false, at: now },
      keyPackages: [0, 1, 2].map((n) => ({
        ref: bytes(`${id} ${n}`),
        keyPackage: bytes(`package ${id} ${n}`),
        notAfter: now * 2n,
      })),
      lastResort: { ref: bytes(`${id} last`), keyPackage: bytes(`package ${id} last`), notAfter: now * 2n },
      ...{ withdrawnUntil: now * 2n, stockMax: 10 },
    })
  }
  const claim = { deviceId: bytes("device 1"), cipherSuite: 1, at: now, lowStock: 3, lastResortOnly: false }
  assert.equal((await store.claimKeyPackage(claim))?.lastResort, false)
  await store.acknowledgeInbox(bytes("device 2"), 1n)
  await store.suspend(bytes("device 3"), "by hand")

  const times = { messages: 100_000n, handshakes: undefined }
  const kept = await store.changePolicy({
    ...{ groupId: bytes("old"), key: bytes("third key"), permit, at: now, admit: () => undefined },
    change: (policy) => retiring(keeping(policy, times, { at: now, notice: 7n }), 99n, { at: now, notice: now }),
  })
  assert.ok(kept.type === "policy" && kept.policy.version === 2n)
  const erased = { deviceId: bytes("device of nobody"), cipherSuite: 1, signatureKey: bytes("key"), at: now }
  await auth.register({ ...erased, name: "nobody.any.more", endorsement: undefined, devicesMax: 9 })
  assert.equal((await auth.erase("nobody.any.more", { deviceId: erased.deviceId, at: now })).type, "erased")

  const many = ["first", "second", "third"].map((which) => bytes(`${which} of many`))
  const endorsedBy = (n: number) => ({ deviceId: many[n]!, signature: bytes("signature") })
  for (const [n, id] of many.entries()) {
    const device = { name: "many", deviceId: id, cipherSuite: 1, signatureKey: id, at: now, devicesMax: 9 }
    await auth.register({ ...device, endorsement: n === 0 ? undefined : endorsedBy(n - 1) })
  }
  const [revokerKey, second] = many as [Uint8Array, Uint8Array]
  const statement = { deviceId: second, signatureKey: second, revokerKey, at: now, signature: bytes("signature") }
  const revoked = await auth.revoke("many", { revocations: [statement], endorsements: [] })
  assert.ok(revoked.type === "revoked")
  assert.deepEqual(
    revoked.devices.map((it) => it.revoked?.revocation),
    [undefined, statement, undefined],
  )
  const said = { recoveryKey: bytes("recovery"), signerKey: revokerKey, at: now, signature: bytes("signature") }
  const recovery = { id: bytes("recovery id"), statement: { ...said, proof: bytes("proof") } }
  assert.equal((await auth.setRecoveryKey("many", recovery)).type, "recoveryKeys")

  // The operator has closed it, and its deletion was cut short.
  await create(store, "closed by halves", now)
  await store.append(message("closed by halves", "to be deleted"))
  const cutShort = "UPDATE mls_group SET id = randomblob(32), last_at = -1 WHERE id = ?"
  assert.equal(await database.write((connection) => connection.run(cutShort, [bytes("closed by halves")])), 1)
}

/** So many entries, in ten groups. */
export async function fillWithEntries(file: string, entries: number, size = 300): Promise<void> {
  await using database = openDatabase({ file })
  authStore(database)
  const store = deliveryStore(database, sha256)
  await raiseIncarnation(store, nodeProvider(), { to: 9n })
  const now = BigInt(Date.now())
  for (let group = 0; group < 10; group++) await create(store, `group ${group}`, now)
  const body = new Uint8Array(size).fill(7)
  const appending: Promise<unknown>[] = []
  for (let n = 0; n < entries; n++) {
    appending.push(store.append(message(`group ${n % 10}`, `${n}`, { body, at: now - BigInt(entries - n) })))
    if (appending.length === 1000) await Promise.all(appending.splice(0))
  }
  await Promise.all(appending)
}

/** All that requests can be answered from, of groups by the keys that they ever had, and of devices. */
export async function answersOf(store: Store, groups: readonly GroupKeys[], devices: readonly Uint8Array[]) {
  const answers: unknown[] = []
  const page = { after: 0n, limit: 100_000, sizeMax: 1 << 30 }
  for (const { groupId, keys } of groups) {
    for (const key of [...keys, bytes("nobody's key"), undefined]) {
      const shown: Shown = { groupId, key, permit }
      answers.push(await store.read({ ...shown, ...page }), await store.head(shown), await store.standing(shown))
      answers.push(await store.policy(shown))
      answers.push(await store.knocks({ ...shown, since: 0n, sizeMax: 1 << 20 }))
      const beside = await store.beside({ ...shown, since: 0n, knocksAfter: 0n, answeredAfter: 0n, limit: 100 })
      answers.push(beside)
      const ids = beside.type === "beside" ? beside.answered : []
      for (const id of ids) answers.push(await store.answer({ ...shown, since: 0n, id }))
    }
  }
  for (const deviceId of devices) {
    answers.push(await store.inbox({ deviceId, ...page }).catch((error: Error) => error.message))
    answers.push(await store.inboxHead(deviceId))
    const asked = { deviceId, cipherSuite: 1, at: 1n }
    answers.push(await store.countKeyPackages(asked).catch((error: Error) => error.message))
  }
  const made = { seed: bytes("other"), passSecret: bytes("other"), incarnation: 1n, handovers: [] }
  answers.push(await store.identity(made))
  return answers
}

export interface GroupKeys {
  readonly groupId: Uint8Array
  readonly keys: readonly Uint8Array[]
}
