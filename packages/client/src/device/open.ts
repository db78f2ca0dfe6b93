import { encode } from "@conclave/codec"
import { cipherSuite, cipherSuiteNumbers } from "@conclave/mls"
import type { Client, ClientOptions } from "../client.js"
import { step } from "../conversation/step.js"
import { faultOf, framesOf } from "../diagnostics/faults.js"
import { Log } from "../diagnostics/log.js"
import { ClientError } from "../errors.js"
import { Identity } from "../identity/identity.js"
import { requireName } from "../identity/names.js"
import { requireDisplayName } from "../identity/people.js"
import { loadProfile } from "../journal/transactions.js"
import { migrateProfile, PROFILE_VERSION } from "../records/migrations.js"
import { Profile, recordKeys } from "../records/records.js"
import { Directory } from "../service/directory.js"
import { Patience } from "../service/patience.js"
import { type Slicing, slicingBy } from "../slices.js"
import { SealedStore } from "../store/sealed.js"
import { platformTimers, type Timers } from "../timers.js"
import { Device } from "./device.js"

const DEFAULT_SUITE = 1

/** What an application leaves to the platform. */
export interface Surroundings {
  readonly timers: Timers
  readonly step: typeof step
  readonly slicing: Slicing
}

/** Opens a profile, or makes it: see `Client.open`. */
export async function openDevice(
  // Apart from what the device holds as long as it is open: it is not kept.
  { recovery, ...options }: ClientOptions,
  { timers = platformTimers, step: takeStep = step, slicing = slicingBy(timers) }: Partial<Surroundings> = {},
): Promise<Client> {
  const random = options.random ?? ((length: number) => options.provider.random(length))
  const log = new Log(options.logger, timers)
  const closers: (() => unknown)[] = []
  try {
    closers.push(
      () => options.delivery[Symbol.asyncDispose](),
      () => options.auth[Symbol.asyncDispose](),
    )
    closers.push(() => options.store[Symbol.asyncDispose]())
    requireName(options.name)
    requireDisplayName(options.displayName ?? "")
    const { sealingKey, provider } = options
    const store = new SealedStore(options.store, { sealingKey, provider, random, slicing })
    const patience = new Patience(options.now ?? Date.now, timers)
    const directory = new Directory(options.auth, patience)
    await migrateProfile(store)
    const stored = await loadProfile(store)
    log.write("opening", { live: options.live !== false, firstTime: stored?.registered !== true })
    const profile = stored ?? (await makeProfile(store, options, random))
    requireSame(profile, options)
    const identity = new Identity(profile, cipherSuite(profile.suite, provider))
    const device = new Device({
      ...{ ...options, random, store, directory, patience, identity, profile },
      ...{ timers, step: takeStep, slicing, log },
    })
    closers.push(() => device.close())
    await device.start({ recovery, signal: options.signal })
    return device
  } catch (error) {
    const frames = error instanceof ClientError || error instanceof TypeError ? undefined : framesOf(error)
    log.write("opening failed", { error: faultOf(error), frames })
    for (const close of closers.reverse()) {
      try {
        await close()
      } catch {
        // What is reported is why it could not be opened.
      }
    }
    throw error
  }
}

async function makeProfile(
  store: SealedStore,
  options: ClientOptions,
  random: (length: number) => Uint8Array,
): Promise<Profile> {
  const suite = options.suite ?? DEFAULT_SUITE
  if (!cipherSuiteNumbers.includes(suite)) throw new TypeError(`cipher suite ${suite} is not known`)
  const key = cipherSuite(suite, options.provider).signature.generate(random)
  const profile: Profile = {
    version: PROFILE_VERSION,
    name: options.name,
    suite,
    signaturePrivateKey: key.exportPrivateKey(),
    signaturePublicKey: key.publicKey,
    registered: false,
    inboxCursor: 0n,
    nextEvent: 1n,
  }
  key[Symbol.dispose]()
  // Stored before it is registered: a name whose key is lost is lost with it.
  await store.transaction({ put: new Map([[recordKeys.profile, encode(Profile, profile)]]), delete: new Set() })
  return profile
}

function requireSame(profile: Profile, options: ClientOptions): void {
  if (profile.name !== options.name) {
    throw new ClientError("WRONG_PROFILE", `this profile speaks as ${profile.name}, not as ${options.name}`)
  }
  if (options.suite !== undefined && profile.suite !== options.suite) {
    throw new ClientError("WRONG_PROFILE", `this profile uses cipher suite ${profile.suite}, not ${options.suite}`)
  }
}
