import { boolean, decode, encode, enumeration, opaque, optional, struct, uint64, union, utf8 } from "@conclave/codec"
import { ClientError } from "../errors.js"
import type { SealedStore } from "../store/sealed.js"
import { recordKeys, StoredEvent, StoredKeyPackage } from "./records.js"

/** Of everything that a profile holds; the record `profile` begins with it. */
export const PROFILE_VERSION = 3

/** What has to be written, and under which keys, to make one version of the next. */
type Changes = Map<string, Uint8Array>
type Migration = (store: SealedStore) => Promise<Changes>

/** By the version that each begins with. */
const migrations: ReadonlyMap<number, Migration> = new Map([[2, fromVersion2]])

/**
 * Makes a profile of an older version one of this version, in one transaction for each version between. Throws
 * `ClientError` `WRONG_PROFILE` for one of a newer version, which is left as it is, and for one that is too old.
 */
export async function migrateProfile(store: SealedStore): Promise<void> {
  for (;;) {
    const profile = await store.get(recordKeys.profile)
    const version = profile?.[0]
    if (profile === undefined || version === undefined || version === PROFILE_VERSION) return
    if (version > PROFILE_VERSION) {
      throw new ClientError(
        "WRONG_PROFILE",
        `a newer version of this program made this profile (version ${version}, not ${PROFILE_VERSION}): update`,
      )
    }
    const migrate = migrations.get(version)
    if (migrate === undefined) throw new ClientError("WRONG_PROFILE", `profiles of version ${version} are not known`)
    const put = await migrate(store)
    const next = put.get(recordKeys.profile) ?? profile.slice()
    next[0] = version + 1
    await store.transaction({ put: put.set(recordKeys.profile, next), delete: new Set() })
  }
}

// --- Version 2: the first that was published -----------------------------------------------------------------------

const KeyPackage2 = struct("KeyPackage2", { bundle: opaque, lastResort: boolean, published: boolean, notAfter: uint64 })
const Rejected2 = union("Rejected2", "kind", enumeration("RejectedKind2", 1, { rejected: 10 }), {
  rejected: { conversation: optional(opaque), code: utf8, reason: utf8 },
})

/** Version 3 knows when a last resort was replaced, and how often something was rejected. */
async function fromVersion2(store: SealedStore): Promise<Changes> {
  const changes: Changes = new Map()
  for (const [key, record] of await store.list(recordKeys.keyPackages)) {
    changes.set(key, encode(StoredKeyPackage, { ...decode(KeyPackage2, record), keptUntil: undefined }))
  }
  for (const [key, record] of await store.list(recordKeys.events)) {
    if (record[0] !== REJECTED_KIND) continue
    changes.set(key, encode(StoredEvent, { ...decode(Rejected2, record), count: 1 }))
  }
  return changes
}

const REJECTED_KIND = 10
