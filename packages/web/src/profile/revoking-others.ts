import type { OwnDevice } from "@conclave/client/browser"
import { dismissAlertsOf } from "./own-alerts.js"
import type { Profile } from "./profile.js"

/** Of devices that speak for the name beside this one: how many were there, and how many of those are revoked by now. */
export interface RevokingProgress {
  readonly all: number
  readonly revoked: number
}

export interface RevokingOthers {
  /** The recovery key of the name. */
  readonly recovery: string
  readonly signal: AbortSignal
  /** Also before the first one is revoked. */
  readonly onProgress: (progress: RevokingProgress) => void
}

/** Somebody else who has the key, too, can bring devices as fast as they are revoked. */
const ROUNDS_MAX = 3

/**
 * Revokes all other devices of the name, those too that come meanwhile. May be repeated: what it has revoked stays so.
 *
 * @throws what `Client.ownDevices` and `Recovery.revokeDevice` throw
 */
export async function revokeOthers(profile: Profile, { recovery, signal, onProgress }: RevokingOthers): Promise<void> {
  const { client } = profile
  const others = new Set<string>()
  const revoked = new Set<string>()
  const tell = () => onProgress({ all: others.size, revoked: revoked.size })
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const left = (await client.ownDevices({ signal })).filter((it) => !it.isThisDevice && it.revoked === undefined)
    if (left.length === 0) return
    for (const { id } of left) others.add(id)
    tell()
    for (const { id } of left) {
      // Most of what a thief has brought goes with the device that it came from.
      if (revoked.has(id)) continue
      const gone: readonly OwnDevice[] = await client.recovery.revokeDevice(id, recovery, { signal })
      for (const it of gone) if (others.has(it.id)) revoked.add(it.id)
      dismissAlertsOf(profile, gone)
      tell()
    }
  }
}
