import { isEndorsement, type VerifyEndorsement, verifyRecovery } from "@conclave/identity/verdicts"
import type { PersonDevice } from "../client.js"
import { ClientError, thisDeviceRevoked } from "../errors.js"
import type { Identity } from "../identity/identity.js"
import { Judge } from "../identity/judge.js"
import { OwnDevices } from "../identity/own-devices.js"
import { People } from "../identity/people.js"
import { Recoveries } from "../identity/recoveries.js"
import { Revocations } from "../identity/revocations.js"
import type { Transactions } from "../journal/transactions.js"
import type { Directory } from "../service/directory.js"
import type { SealedStore } from "../store/sealed.js"
import type { Timers } from "../timers.js"
import { Revoking } from "./revoking.js"

export interface KnowingOptions {
  readonly store: SealedStore
  readonly transactions: Transactions
  readonly directory: Directory
  readonly identity: Identity
  /** Unix time in milliseconds. */
  readonly now: () => number
  readonly timers: Timers
  readonly acceptEndorsed: boolean
  /** Names of all members of this device's conversations. */
  readonly members: () => Iterable<string>
  /** Called once it is stored that devices were revoked. */
  readonly onRevoked: () => void
  /** Called where the directory does not list this device. */
  readonly onUnlisted: () => Promise<void>
}

/** What a device knows of people and their devices, its own among them. */
export interface Knowing {
  readonly judge: Judge
  readonly people: People
  readonly revocations: Revocations
  readonly recoveries: Recoveries
  readonly revoking: Revoking
  readonly ownDevices: OwnDevices
}

/** Whatever the directory says of a name goes to all parts of it. */
export function knowing(options: KnowingOptions): Knowing {
  const { store, transactions, directory, identity, now, timers, acceptEndorsed, members } = options
  const { onRevoked, onUnlisted } = options
  const verifyEndorsement: VerifyEndorsement = (claim) => isEndorsement(identity.suite, claim)
  const judge: Judge = new Judge({
    ...{ store, directory, verifyEndorsement, acceptEndorsed, cipherSuite: identity.suite.number },
    revocations: (name) => revocations.of(name),
    recovery: (name) => recoveries.known(name),
    saidRevoked: (name) => revocations.saidOf(name),
    onPinned: (name) => {
      people.pinned(name)
      // A store that fails is told of by others; the directory says it again.
      const met = recoveries.met(name).then(() => revocations.met(name))
      met.catch(() => {})
    },
  })
  const pinned = (name: string) => judge.pinned(name)
  const revocations: Revocations = new Revocations({
    ...{ store, transactions, identity, verifyEndorsement, now, pinned, onRevoked },
    recovery: (name) => recoveries.of(name),
  })
  const verify = verifyRecovery(identity.suite, identity.suite.provider)
  const recoveries: Recoveries = new Recoveries({
    ...{ store, transactions, identity, pinned, verifyEndorsement, verify },
    revocations: (name) => revocations.of(name),
  })
  const isRevoked = (name: string, key: Uint8Array) => revocations.since(name, key) !== undefined
  const people = new People({ store, transactions, directory, identity, judge, isRevoked, now, timers })
  for (const part of [judge, revocations, recoveries, people]) transactions.share(part)
  directory.listen({
    async heard(name, listing) {
      const before = revocations.of(name)
      await revocations.heard(name, listing)
      // What a recovery key says counts from when it is trusted.
      if (await recoveries.heard(name, listing, { before })) await revocations.heard(name, listing)
      await people.heard(name, listing.displayName)
    },
    isRevoked: (name, { signatureKey }) => isRevoked(name, signatureKey),
  })
  const revoking = new Revoking({ directory, identity, judge, revocations, recoveries, now })
  const ownDevices = new OwnDevices({
    ...{ identity, store, transactions, judge, directory, isRevoked, now, acceptEndorsed, onUnlisted },
    people: () => [...new Set(members())].sort(),
    isRecovered: (device) => recoveries.of(identity.name)?.hasEndorsed(device) ?? false,
    onListed: (listing, signal) => revoking.giveBack(listing, signal),
  })
  return { judge, people, revocations, recoveries, revoking, ownDevices }
}

/** The devices that the directory lists for a name, as an application sees them. */
export async function devicesOf(judge: Judge, name: string, signal: AbortSignal): Promise<readonly PersonDevice[]> {
  const devices = await judge.devices(name, signal)
  return devices.map(({ device, pinned, known }) => ({
    signatureKey: device.signatureKey,
    registeredAt: new Date(Number(device.registeredAt)),
    pinned,
    endorsed: known,
  }))
}

/** @throws ClientError `REVOKED`: a device that was revoked asks for nothing more */
export function requireSpeaking({ revocations }: { readonly revocations: Pick<Revocations, "isThisDevice"> }): void {
  if (revocations.isThisDevice) throw thisDeviceRevoked()
}

/** @throws ClientError `REFUSED` where nobody can approve the key any more */
export function requireUnrevoked(revocations: Revocations, name: string, signatureKey: Uint8Array): void {
  if (revocations.since(name, signatureKey) === undefined) return
  throw new ClientError("REFUSED", `this key was revoked by a device of ${name}`)
}
