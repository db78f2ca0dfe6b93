import type { Endorsement } from "@conclave/contracts/auth"
import { equalBytes } from "@conclave/crypto"

/** Of the devices that a name may have at a time, so many times as many come as they like, with those that were revoked. */
const DEVICES_EVER = 4
/** After that, a name gets one new device in so long. */
const PACE_MILLISECONDS = 86_400_000n

interface Room {
  readonly at: bigint
  readonly devicesMax: number
  readonly endorsement: Endorsement | undefined
  /** Of the name, the last one holds. */
  readonly recoveryKeys: readonly { readonly id: Uint8Array }[]
}

/**
 * Why a name takes no new device now. A thief fills a name with devices that she revokes again: whoever revokes hers has room at
 * the next day at the latest, and until then a name grows by no more than that. For what the recovery key has endorsed there is
 * twice as much room: a thief fills none of that.
 */
export function registrationFault(
  devices: readonly { readonly registeredAt: bigint; readonly revoked: object | undefined }[],
  { at, devicesMax: ofDevices, endorsement, recoveryKeys }: Room,
): { readonly type: "tooManyDevices" | "tooManyToday" | "endorserRevoked" } | undefined {
  // It may have been replaced since the signature was checked.
  const isFormer = recoveryKeys.slice(0, -1).some(({ id }) => endorsement && equalBytes(id, endorsement.deviceId))
  if (isFormer) return { type: "endorserRevoked" }
  const current = recoveryKeys.at(-1)
  const isRecovered = current && endorsement && equalBytes(current.id, endorsement.deviceId)
  const devicesMax = isRecovered ? 2 * ofDevices : ofDevices
  const live = devices.filter(({ revoked }) => revoked === undefined)
  if (live.length >= devicesMax) return { type: "tooManyDevices" }
  const last = devices.at(-1)
  const isFree = devices.length < DEVICES_EVER * devicesMax || last === undefined
  return isFree || at - last.registeredAt >= PACE_MILLISECONDS ? undefined : { type: "tooManyToday" }
}

interface Ranked {
  readonly deviceId: Uint8Array
  readonly revoked: object | undefined
}

/** Whether the device is the oldest that speaks for its name. `devices` are all of the name, in the order of registration. */
export function isOldest(devices: readonly Ranked[], deviceId: Uint8Array): boolean {
  const oldest = devices.find(({ revoked }) => revoked === undefined)
  return oldest !== undefined && equalBytes(oldest.deviceId, deviceId)
}

interface Eraser {
  /** Of the device, or `recoveryIdOf` a recovery key. */
  readonly deviceId: Uint8Array
  /** Of the name, the last one holds. */
  readonly recoveryKeys: readonly { readonly id: Uint8Array }[]
}

/**
 * Why a device of the name does not erase it, or the recovery key does: where a name has a recovery key, nothing else erases it, for
 * a thief of the oldest device would do so before the owner comes back. `devices` as in {@link isOldest}.
 */
export function erasureFault(
  devices: readonly Ranked[],
  { deviceId, recoveryKeys }: Eraser,
): { readonly type: "younger" | "recoveryKeyNeeded" } | undefined {
  const current = recoveryKeys.at(-1)
  if (current !== undefined) return equalBytes(current.id, deviceId) ? undefined : { type: "recoveryKeyNeeded" }
  return isOldest(devices, deviceId) ? undefined : { type: "younger" }
}

/**
 * When a device is registered that comes now: later than all others of its name, whatever the clock says, for it is by these
 * times that clients tell the older from the younger.
 */
export function registeredAfter(devices: readonly { readonly registeredAt: bigint }[], now: bigint): bigint {
  return devices.reduce((at, { registeredAt }) => (registeredAt >= at ? registeredAt + 1n : at), now)
}
