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
