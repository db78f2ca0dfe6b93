import assert from "node:assert/strict"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, it, type TestContext } from "node:test"
import {
  type GroupPolicy,
  keeping,
  type NewCommit,
  type NewEntry,
  retiring,
  type Store,
} from "@conclave/delivery/store"
import { sha256, temporaryFolder } from "@conclave/testing/delivery"
import { authStore, deliveryStore, OperatorFile, openDatabase } from "../src/index.js"

const DAY = 86_400_000n
const bytes = (text: string, size = 32) => sha256(new TextEncoder().encode(text)).subarray(0, size)
const admitted = () => undefined
const KEY = bytes("access key")

const marked = (name: string) => {
  const body = new Uint8Array(9_000)
  for (let start = 0; start + 32 <= body.length; start += 32) body.set(bytes(`${name} ${start}`), start)
  return { body, needle: body.slice(6_400, 6_440) }
}

function opened(test: TestContext) {
  const file = join(temporaryFolder(test), "service.db")
  const database = openDatabase({ file })
  test.after(() => database.close())
  const holds = (needle: Uint8Array) =>
    [file, `${file}-wal`].some((path) => existsSync(path) && readFileSync(path).includes(Buffer.from(needle)))
  return { file, auth: authStore(database), store: deliveryStore(database, sha256), holds }
}

const append = (store: Store, group: string, more: Partial<NewEntry>) =>
  store.append({
    ...{ groupId: bytes(group), key: KEY, permit: admitted, idempotencyId: bytes(`${more.at}`, 16) },
    ...{ requestHash: bytes("request"), kind: "application", epoch: 0n, body: bytes("body"), at: DAY, after: 0n },
    ...{ pastCommitsMax: 9, commit: undefined, admit: admitted },
    ...more,
  })
const createGroup = (store: Store, group: string) =>
  store.createGroup({
    ...{ groupId: bytes(group), idempotencyId: bytes("id", 16), requestHash: bytes("request"), accessKey: KEY },
    ...{ at: DAY, admit: admitted },
  })
const change = (store: Store, group: string, change: (policy: GroupPolicy) => GroupPolicy | undefined) =>
  store.changePolicy({ groupId: bytes(group), key: KEY, permit: admitted, at: DAY, change, admit: admitted })
const commitParts = (more: Partial<NewCommit>): NewCommit => ({
  ...{ welcome: bytes("welcome"), recipients: [], unserved: [], begins: undefined, answers: undefined },
  ...{ knocksSince: 0n, sender: bytes("sender", 8), inboxEntriesMax: 9, inboxEntriesPerGroupMax: 9 },
  mayDeliver: () => true,
  ...more,
})

async function sweep(store: Store, at: bigint): Promise<void> {
  const horizons = {
    at,
    messages: at - 30n * DAY,
    log: at - 180n * DAY,
    inbox: at - 180n * DAY,
    groups: 0n,
    knocks: 0n,
  }
  while ((await store.sweep({ ...horizons, rowsMax: 10 })).more);
}

describe("what was deleted of a service, in its file and write-ahead log", () => {
  it("is not there: messages that expired by their group's time, and those of a group that was retired", async (test) => {
    const { store, holds } = opened(test)
    const [short, retired] = [marked("short"), marked("retired")]
    for (const [name, { body }] of Object.entries({ short, retired })) {
      await createGroup(store, name)
      await append(store, name, { body })
    }
    const noticing = { at: DAY, notice: 7n * DAY }
    await change(store, "short", (policy) => keeping(policy, { messages: DAY, handshakes: undefined }, noticing))
    await change(store, "retired", (policy) => retiring(policy, 1n, noticing))
    await sweep(store, 8n * DAY - 1n)
    for (const { needle } of [short, retired]) assert.ok(holds(needle), "it was there")
    await sweep(store, 8n * DAY)
    for (const { needle } of [short, retired]) assert.ok(!holds(needle))
    assert.equal(await createGroup(store, "retired"), "exists")
  })

  it("is not there: the name, the Welcomes and the key packages of an account", async (test) => {
    const { file, store, auth, holds } = opened(test)
    const [welcome, keyPackage] = [marked("welcome"), marked("key package")]
    const device = { deviceId: bytes("device"), cipherSuite: 1, signatureKey: bytes("key"), at: 1n }
    await auth.register({ ...device, name: "a.name.to.erase", endorsement: undefined, devicesMax: 9 })
    await store.publishKeyPackages({
      ...{ ...device, keyPackages: [{ ref: bytes("ref"), keyPackage: keyPackage.body, notAfter: 1_000n }] },
      ...{ lastResort: undefined, replaces: false, withdrawnUntil: 0n, stockMax: 9 },
    })
    await createGroup(store, "group")
    const commit = commitParts({ welcome: welcome.body, recipients: [device.deviceId] })
    await append(store, "group", { kind: "commit", commit })
    const name = new TextEncoder().encode("a.name.to.erase")
    for (const needle of [name, welcome.needle, keyPackage.needle]) assert.ok(holds(needle), "it was there")
    using operator = new OperatorFile(file, { readonly: false })
    assert.equal(operator.erase("a.name.to.erase", { at: 5, user: "root", reason: "asked for" }), true)
    for (const needle of [name, welcome.needle, keyPackage.needle]) assert.ok(!holds(needle))
    assert.equal(operator.erase("a.name.to.erase", { at: 6, user: "root", reason: "asked for" }), false)
  })
})
