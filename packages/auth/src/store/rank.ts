import { equalBytes } from "@conclave/crypto"

interface Ranked {
  readonly deviceId: Uint8Array
  readonly revoked: object | undefined
}

/** Whether the device is the oldest that speaks for its name. `devices` are all of the name, in the order of registration. */
export function isOldest(devices: readonly Ranked[], deviceId: Uint8Array): boolean {
  const oldest = devices.find(({ revoked }) => revoked === undefined)
  return oldest !== undefined && equalBytes(oldest.deviceId, deviceId)
}

/**
 * When a device is registered that comes now: later than all others of its name, whatever the clock says, for it is by these
 * times that clients tell the older from the younger.
 */
export function registeredAfter(devices: readonly { readonly registeredAt: bigint }[], now: bigint): bigint {
  return devices.reduce((at, { registeredAt }) => (registeredAt >= at ? registeredAt + 1n : at), now)
}
