import { ClientError } from "../errors.js"
import type { SealedStore } from "../store/sealed.js"
import { recordKeys } from "./records.js"

/** Of everything that a profile holds; the record `profile` begins with it. */
export const PROFILE_VERSION = 5

/**
 * Makes a profile of an older version one of this version, in one transaction for each version between. Throws
 * `ClientError` `WRONG_PROFILE` for one of a newer version, which is left as it is, and for one that is too old.
 */
export async function migrateProfile(store: SealedStore): Promise<void> {
  for (;;) {
    const profile = await store.get(recordKeys.profile)
    if (profile === undefined || profile[0] === PROFILE_VERSION) return
    const version = profile[0] ?? 0
    if (version > PROFILE_VERSION) {
      throw new ClientError(
        "WRONG_PROFILE",
        `a newer version of this program made this profile (version ${version}, not ${PROFILE_VERSION}): update`,
      )
    }
    // Most starts of a page find no such profile.
    const { migrations } = await import("./earlier.js")
    const migrate = migrations.get(version)
    if (migrate === undefined) throw new ClientError("WRONG_PROFILE", `profiles of version ${version} are not known`)
    const { put, delete: forgotten = new Set<string>() } = await migrate(store)
    const next = put.get(recordKeys.profile) ?? profile.slice()
    next[0] = version + 1
    await store.transaction({ put: put.set(recordKeys.profile, next), delete: forgotten })
  }
}
