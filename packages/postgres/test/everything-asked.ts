import assert from "node:assert/strict"
import type { Operated as AuthOperated, Store as AuthStore } from "@conclave/auth/store"
import { type GroupPolicy, keeping, type NewEntry, type Operated, type Store } from "@conclave/delivery/store"
import { admitted, bytes, commitParts, KEY, message, newGroup } from "./support.js"

type DeliveryStore = Store & Operated
/** Both stores, as a gateway uses them. */
export interface Stores {
  readonly delivery: DeliveryStore
  readonly auth: AuthStore & AuthOperated
}

/** Calls every method of both stores, each with and without something to find. `at`: where groups and devices are named. */
export async function askEverything({ delivery, auth }: Stores, at = ""): Promise<void> {
  await askAuth(auth, at)
  await askKeyPackages(delivery, at)
  await askLogs(delivery, at)
  await askErasing({ auth, delivery }, at)
  await askOperator(delivery, at)
}

async function askAuth(auth: Stores["auth"], at: string): Promise<void> {
  const name = `alice${at}`
  const deviceId = bytes(`device${at}`)
  const device = { name, deviceId, cipherSuite: 1, signatureKey: bytes("key"), at: 1n, endorsement: undefined }
  await auth.register({ ...device, devicesMax: 3 })
  await auth.register({ ...device, devicesMax: 3 })
  const endorsement = { deviceId, signature: bytes("signature") }
  await auth.register({ ...device, deviceId: bytes(`second${at}`), endorsement, devicesMax: 3 })
  await auth.lookup(name)
  await auth.lookupDevice(deviceId)
  const text = { text: "Alice", at: 2n, deviceId, signature: bytes("signature") }
  await auth.setDisplayName(name, text)
  await auth.setDisplayName(name, { ...text, at: 3n })
  await auth.displayName(name)
  await auth.suspend(name, "reason")
  await auth.lookup(name)
  await auth.resume(name)
  await askRevoking(auth, at)
}

/** Of a name of its own, whose second device takes a third one with it. */
async function askRevoking(auth: Stores["auth"], at: string): Promise<void> {
  const name = `many${at}`
  const devices = ["first", "second", "third"].map((which) => bytes(`${which} of many${at}`))
  const endorsed = (by: number) => ({ deviceId: devices[by]!, signature: bytes("signature") })
  for (const [n, deviceId] of devices.entries()) {
    const device = { name, deviceId, cipherSuite: 1, signatureKey: deviceId, at: 1n }
    await auth.register({ ...device, endorsement: n === 0 ? undefined : endorsed(n - 1), devicesMax: 3 })
  }
  const [revokerKey, second, third] = devices as [Uint8Array, Uint8Array, Uint8Array]
  const statement = { deviceId: second, signatureKey: second, revokerKey, at: 2n, signature: bytes("signature") }
  const endorsements = [{ deviceId: third, endorsement: endorsed(0) }]
  const said = { recoveryKey: bytes("recovery"), signerKey: revokerKey, at: 2n, signature: bytes("signature") }
  await auth.setRecoveryKey(name, { id: bytes("recovery id"), statement: { ...said, proof: bytes("proof") } })
  await auth.recoveryKeys(name)
  await auth.revoke(name, { revocations: [], endorsements })
  await auth.revoke(name, { revocations: [statement], endorsements: [] })
  await auth.lookup(name)
  await auth.account(name)
}

/** Of a name of its own: nothing is left of it. */
async function askErasing({ auth, delivery }: Stores, at: string): Promise<void> {
  const [name, deviceId] = [`gone${at}`, bytes(`gone${at}`)]
  const device = { name, deviceId, cipherSuite: 1, signatureKey: bytes("key"), at: 1n, endorsement: undefined }
  await auth.register({ ...device, devicesMax: 3 })
  await accepted(delivery, message(`group${at}`, "gone", { at: 6n, key: bytes("next key"), after: 3n }))
  await auth.account(name)
  await auth.isErased(deviceId)
  await auth.erase(name, { deviceId, at: 4n })
  await auth.erase(name, { deviceId: bytes("nobody"), at: 4n })
}

async function askKeyPackages(delivery: DeliveryStore, at: string): Promise<void> {
  const device = { deviceId: bytes(`device${at}`), cipherSuite: 1, at: 10n }
  const keyPackage = (name: string) => ({
    ...{ ref: bytes(name + at), keyPackage: bytes(name), notAfter: 1_000_000n },
  })
  const published = { ...device, signatureKey: bytes("key"), withdrawnUntil: 20n, stockMax: 10 }
  const [keyPackages, lastResort] = [[keyPackage("one"), keyPackage("two")], keyPackage("last")]
  await delivery.publishKeyPackages({ ...published, keyPackages, lastResort, replaces: false })
  for (let claims = 0; claims < 4; claims++) {
    await delivery.claimKeyPackage({ ...device, lowStock: 5, lastResortOnly: claims === 0 })
  }
  await delivery.publishKeyPackages({ ...published, keyPackages: [keyPackage("three")], lastResort, replaces: true })
  await delivery.countKeyPackages(device)
}

async function askLogs(delivery: DeliveryStore, at: string): Promise<void> {
  const group = `group${at}`
  const deviceId = bytes(`device${at}`)
  const shown = { groupId: bytes(group), key: KEY, permit: admitted }
  const mark = (await delivery.news(undefined)).mark
  await delivery.createGroup(newGroup(group))
  await delivery.createGroup(newGroup(group))
  await Promise.all([delivery.append(message(group, "1")), delivery.append(message(group, "2"))])
  await delivery.append(message(group, "1"))
  await delivery.append(message(group, "stale", { after: 99n }))
  const knock = {
    ...{ ...shown, id: bytes("knock", 16), sealed: bytes("sealed"), at: 5n, since: 0n, sender: bytes("sender", 8) },
    ...{ ofKeyMax: 10, admit: admitted },
  }
  await delivery.knock(knock)
  await delivery.knock(knock)
  await delivery.knocks({ ...shown, since: 0n, sizeMax: 1000 })
  await delivery.beside({ ...shown, since: 0n, knocksAfter: 0n, answeredAfter: 0n, limit: 10 })
  const answers = { welcome: bytes("answer"), to: [{ knock: knock.id, key: bytes("sealed key") }] }
  const begins = { accessKey: bytes("next key"), removes: false }
  const commit = commitParts({ recipients: [deviceId], begins, answers })
  await accepted(delivery, message(group, "commit", { kind: "commit", commit }))
  const next = { key: begins.accessKey, after: 3n }
  await accepted(delivery, message(group, "proposal", { kind: "proposal", ...next }))
  await delivery.answer({ ...shown, since: 0n, id: knock.id })
  await delivery.read({ ...shown, after: 0n, limit: 2, sizeMax: 10_000 })
  await delivery.read({ ...shown, after: 0n, limit: 100, sizeMax: 10_000 })
  await delivery.head(shown)
  await delivery.standing(shown)
  await delivery.standings([shown, { ...shown, groupId: bytes("none") }])
  const change = (policy: GroupPolicy) => ({
    ...keeping(policy, { messages: 10n, handshakes: 20n }, { at: 5n, notice: 0n }),
    ...(at === "" && { retired: { headSeq: 4n, goneAt: 6n } }),
  })
  const newest = { ...shown, key: begins.accessKey }
  await delivery.changePolicy({ ...newest, at: 5n, change, admit: admitted })
  await delivery.policy(newest)
  await delivery.inbox({ deviceId, after: 0n, limit: 10, sizeMax: 10_000 })
  const head = await delivery.inboxHead(deviceId)
  await delivery.acknowledgeInbox(deviceId, head)
  await delivery.news(mark)
}

async function askOperator(delivery: DeliveryStore, at: string): Promise<void> {
  const deviceId = bytes(`device${at}`)
  const made = { seed: bytes("seed"), passSecret: bytes("pass"), incarnation: 1n, handovers: [] }
  await delivery.identity(made)
  await delivery.identity(made)
  const handover = { by: bytes("by"), key: bytes("key"), incarnation: 2n, signature: bytes("signature") }
  await delivery.raiseIncarnation(handover)
  await delivery.suspend(deviceId, "reason")
  await delivery.resume(deviceId)
  delivery.usage()
  const horizon = { messages: 50n, log: 50n, inbox: 50n, knocks: 50n, groups: 0n, rowsMax: 10 }
  while ((await delivery.sweep({ at: 100n, ...horizon })).more);
  await delivery.closeGroup(bytes(`group${at}`))
  while ((await delivery.sweep({ at: 2_000_000n, ...horizon, groups: 2_000_000n })).more);
}

async function accepted(delivery: DeliveryStore, entry: NewEntry): Promise<void> {
  const { type } = await delivery.append(entry)
  assert.equal(type, "accepted")
}
