import type { Endorsement, NewEndorsement, Revocation } from "@conclave/contracts/auth"
import { equalBytes } from "@conclave/crypto"
import type { StoredRecoveryKey } from "./recovery.js"

/** Statements about devices of one name, each verified with the key that it names. */
export interface Revoking {
  readonly revocations: readonly Revocation[]
  /** In the place of those that the devices were registered with; applied first. */
  readonly endorsements: readonly NewEndorsement[]
}

/** What is to be stored, in this order. */
export interface RevokingChanges {
  readonly endorsements: readonly NewEndorsement[]
  /** By device: the statement that revokes it, or that it fell without one. One that was there is replaced. */
  readonly revoked: readonly { readonly deviceId: Uint8Array; readonly revocation: Revocation | undefined }[]
}

interface Judged {
  readonly deviceId: Uint8Array
  readonly signatureKey: Uint8Array
  readonly endorsement: Endorsement | undefined
  readonly revoked: { readonly revocation: Revocation | undefined } | undefined
}

/**
 * What the statements come to, or why they are refused, all of them. `devices` are all of the name, in the order of
 * registration: an older device revokes a younger one, and each itself, unless it was revoked before. An endorsement comes from
 * an older device, so no device revokes one that it comes from.
 *
 * A device that another one revokes takes with it what it has endorsed, and what that has. One that revokes itself retires: what
 * it has endorsed stays.
 *
 * The last of `recoveryKeys` revokes any device, and endorses any: what it has endorsed no other device revokes.
 */
export function judgeRevoking(
  devices: readonly Judged[],
  { revocations, endorsements }: Revoking,
  recoveryKeys: readonly StoredRecoveryKey[] = [],
): RevokingChanges | { readonly refused: string } {
  const now: Judging[] = devices.map((device) => ({ ...device }))
  const current = recoveryKeys.at(-1)
  const isRecoveryKey = (key: Uint8Array) => recoveryKeys.some((it) => equalBytes(it.statement.recoveryKey, key))
  const indexOf = (deviceId: Uint8Array) => now.findIndex((it) => equalBytes(it.deviceId, deviceId))
  for (const { deviceId, endorsement } of endorsements) {
    const [device, endorser] = [indexOf(deviceId), indexOf(endorsement.deviceId)]
    if (device !== -1 && current !== undefined && equalBytes(endorsement.deviceId, current.id)) {
      if (now[device]!.revoked !== undefined) return { refused: "endorsements: a device has been revoked" }
      now[device]!.endorsement = endorsement
      continue
    }
    if (device === -1 || endorser === -1) return { refused: "endorsements: a device is not one of the name" }
    if (now[device]!.revoked !== undefined || now[endorser]!.revoked !== undefined) {
      return { refused: "endorsements: a device has been revoked" }
    }
    if (endorser >= device) return { refused: "endorsements: only an older device endorses" }
    // By itself it would take a device from the one that has endorsed it, to have it fall with another.
    const { signatureKey } = now[endorser]!
    const isKept = revocations.some((it) => {
      return equalBytes(it.revokerKey, signatureKey) && comesFrom(devices, { device, from: indexOf(it.deviceId) })
    })
    if (!isKept) return { refused: "endorsements: the device would not fall with one that its endorser revokes" }
    now[device]!.endorsement = endorsement
  }
  const changed = new Set<number>()
  for (const revocation of revocations) {
    const device = indexOf(revocation.deviceId)
    const isByRecovery = current !== undefined && equalBytes(current.statement.recoveryKey, revocation.revokerKey)
    const revoker = now.findIndex((it) => equalBytes(it.signatureKey, revocation.revokerKey))
    if (
      device === -1 ||
      (revoker === -1 && !isByRecovery) ||
      !equalBytes(now[device]!.signatureKey, revocation.signatureKey)
    ) {
      return { refused: "revocations: a device is not one of the name" }
    }
    const { revoked } = now[device]!
    // What the recovery key says takes the place of what a device has said.
    if (isByRecovery) {
      if (revoked?.revocation !== undefined && isRecoveryKey(revoked.revocation.revokerKey)) continue
      now[device]!.revoked = { revocation }
      for (const it of [device, ...fallWith(now, device)]) changed.add(it)
      continue
    }
    if (isRevokedByOther(now[device]!)) continue
    if (device === revoker && now[device]!.revoked?.revocation !== undefined) continue
    if (now[revoker]!.revoked !== undefined) return { refused: "revocations: the device that signed is revoked itself" }
    if (revoker > device) return { refused: "revocations: only an older device revokes another" }
    if (device !== revoker && isRecovered(now[device]!, recoveryKeys)) {
      return { refused: "revocations: only the recovery key revokes what it has endorsed" }
    }
    now[device]!.revoked = { revocation }
    changed.add(device)
    if (device !== revoker) for (const fallen of fallWith(now, device)) changed.add(fallen)
  }
  const revoked = [...changed].map((at) => ({
    deviceId: now[at]!.deviceId,
    revocation: now[at]!.revoked!.revocation,
  }))
  return { endorsements, revoked }
}

/** Whether a recovery key of the name has endorsed it. */
function isRecovered({ endorsement }: Pick<Judged, "endorsement">, keys: readonly StoredRecoveryKey[]): boolean {
  return endorsement !== undefined && keys.some(({ id }) => equalBytes(id, endorsement.deviceId))
}

/** Whether a chain of the endorsements that are stored leads from one to the other, by their indexes. */
function comesFrom(
  devices: readonly Judged[],
  { device, from }: { readonly device: number; readonly from: number },
): boolean {
  for (let at = device; at > from; ) {
    const endorser = devices[at]!.endorsement?.deviceId
    const next = endorser === undefined ? -1 : devices.findIndex((it) => equalBytes(it.deviceId, endorser))
    // An endorser is older: no chain is a circle.
    if (next === -1 || next >= at) return false
    if (next === from) return true
    at = next
  }
  return false
}

function isRevokedByOther({ signatureKey, revoked }: Judged): boolean {
  return revoked?.revocation !== undefined && !equalBytes(revoked.revocation.revokerKey, signatureKey)
}

type Judging = { -readonly [K in keyof Judged]: Judged[K] }

/** Whatever comes from the device and is not revoked: the indexes of those. An endorser stands before those it endorses. */
function fallWith(devices: readonly Judging[], device: number): readonly number[] {
  const gone = [devices[device]!.deviceId]
  const fallen: number[] = []
  for (const [at, it] of devices.entries()) {
    const { endorsement } = it
    if (endorsement === undefined || !gone.some((id) => equalBytes(id, endorsement.deviceId))) continue
    gone.push(it.deviceId)
    if (it.revoked !== undefined) continue
    it.revoked = { revocation: undefined }
    fallen.push(at)
  }
  return fallen
}
