import type { Device } from "@conclave/contracts/auth"
import { equalBytes } from "@conclave/crypto"
import type { CredentialClaim } from "@conclave/mls"
import { nameOf } from "./credential-name.js"
import { Chains, keyName, rootOf, type VerifyEndorsement } from "./device-chain.js"
import type { Judgement, KeyChange } from "./judgement.js"
import { includes, type Pin } from "./pins.js"
import { isRetired, type KnownRevocation, withoutRevoked } from "./revocation.js"

/** What is known of a name while claims about it are judged: one answer of the directory for all of them. */
export interface KnownName {
  readonly pinned: readonly Uint8Array[]
  /** All that the directory lists for the name; absent where every claim about the name has a pinned key. */
  readonly devices: readonly Device[] | undefined
  /** Verified statements about devices of the name. */
  readonly revocations?: readonly KnownRevocation[]
  /** Recovery keys of the name that are trusted. */
  readonly recovery?: RecoveredName | undefined
  /** Keys of devices that the directory says were revoked, where that is not verified: for words alone. */
  readonly saidRevoked?: readonly Uint8Array[]
}

/** What a name's recovery keys have endorsed. */
export interface RecoveredName {
  readonly hasEndorsed: (device: Device) => boolean
  /** At the first contact: the device that all this is taken on the directory's word from. */
  readonly root?: Uint8Array | undefined
}

/** What an application allows, and how endorsements are verified. */
export interface JudgingPolicy {
  /** Whether a new key of a pinned name is accepted if a pinned key has endorsed it; otherwise the user is asked. */
  readonly acceptEndorsed: boolean
  readonly verifyEndorsement: VerifyEndorsement
  /** Of the groups that are judged: a device of another one is not accepted into them. */
  readonly cipherSuite: number
}

/** A device that the directory lists for a name. */
export interface KnownDevice {
  readonly device: Device
  readonly pinned: boolean
  /** Of the groups' cipher suite, and its key is pinned or comes from one that is; at the first contact, from the name's root. */
  readonly known: boolean
}

interface Finding {
  readonly accepted: boolean
  readonly name: string
  readonly pins?: readonly Pin[]
  readonly keyChange?: KeyChange
  readonly reason?: string
}

/**
 * Decides who the holders of signature keys are. A credential is accepted if and only if it is basic, holds a well-formed
 * name, the directory lists the signature key for that name and the cipher suite of the group, and the key comes from one that is trusted: at the first
 * contact with a name from its root, the oldest device that is listed without an endorsement, which is then pinned; later
 * from any pinned key, if the policy allows that. A key comes from another if it is the same, or if a chain of
 * endorsements leads there, each verified. A key that was revoked is refused, and nothing comes from one that another device has
 * revoked. Everything else is refused until the user approves it.
 *
 * All claims of one commit are judged together. `people` has an entry for each name of {@link claimedKeys}.
 */
export function judge(
  claims: readonly CredentialClaim[],
  people: ReadonlyMap<string, KnownName>,
  policy: JudgingPolicy,
): Judgement {
  const findings = claims.map((claim) => find(claim, people, policy))
  return {
    verdicts: claims.map((claim, at) => ({ claim, accepted: findings[at]!.accepted })),
    pins: findings.flatMap((it) => it.pins ?? []),
    keyChanges: [...findings.flatMap((it) => it.keyChange ?? []), ...strangers(claims, people, policy)],
    refused: findings.flatMap((it) =>
      it.accepted ? [] : [{ name: it.name, reason: it.reason ?? "refused", keyChanged: it.keyChange !== undefined }],
    ),
  }
}

/** The names that claims are about, each with the keys that are claimed for it. */
export function claimedKeys(claims: readonly CredentialClaim[]): ReadonlyMap<string, readonly Uint8Array[]> {
  const keys = new Map<string, Uint8Array[]>()
  for (const { credential, signatureKey } of claims) {
    const name = nameOf(credential)
    if (name !== undefined) keys.set(name, [...(keys.get(name) ?? []), signatureKey])
  }
  return keys
}

/** What {@link judge} would say of each device that the directory lists for a name. */
export function judgeDevices(
  name: string,
  known: KnownName & { readonly devices: readonly Device[] },
  { verifyEndorsement, cipherSuite }: Pick<JudgingPolicy, "verifyEndorsement" | "cipherSuite">,
): readonly KnownDevice[] {
  const { pinned } = known
  const devices = inChains(known)
  const chains = new Chains({ name, devices, verifyEndorsement })
  const [roots, isRecovered] = [rootsOf(known, devices), recoveredIn(known, devices)]
  return known.devices.map((device) => ({
    device,
    pinned: includes(pinned, device.signatureKey),
    known: device.cipherSuite === cipherSuite && chains.comesFrom(device, { roots, isRecovered }),
  }))
}

function find(
  { credential, signatureKey }: CredentialClaim,
  people: ReadonlyMap<string, KnownName>,
  policy: JudgingPolicy,
): Finding {
  const name = nameOf(credential)
  const known = name === undefined ? undefined : people.get(name)
  if (name === undefined || known === undefined) {
    return { accepted: false, name: "?", reason: "this is no well-formed name" }
  }
  const { pinned, revocations = [], saidRevoked = [] } = known
  if (revocations.some(({ revocation }) => equalBytes(revocation.signatureKey, signatureKey))) {
    return { accepted: false, name, reason: `a device of ${name} was revoked` }
  }
  if (includes(pinned, signatureKey)) return { accepted: true, name }
  const devices = inChains(known)
  const ofKey = devices.filter((it) => equalBytes(it.signatureKey, signatureKey))
  const device = ofKey.find(({ cipherSuite }) => cipherSuite === policy.cipherSuite)
  if (device === undefined) {
    if (ofKey.length > 0) return { accepted: false, name, reason: `a device of ${name} has another cipher suite` }
    if (includes(saidRevoked, signatureKey)) {
      return { accepted: false, name, reason: `a device of ${name} was revoked, and has not been taken out yet` }
    }
    return { accepted: false, name, reason: `the directory does not know this key of ${name}` }
  }
  const { verifyEndorsement } = policy
  const isRecovered = recoveredIn(known, devices)
  if (pinned.length === 0) {
    return meet(name, device, { devices, verifyEndorsement, isRecovered, recoveryRoot: known.recovery?.root })
  }
  const chains = new Chains({ name, devices, verifyEndorsement })
  const endorsed = chains.comesFrom(device, { roots: rootsOf(known, devices), isRecovered })
  const accepted = endorsed && policy.acceptEndorsed
  return {
    accepted,
    name,
    pins: accepted ? [{ name, signatureKey }] : [],
    keyChange: { name, signatureKey, endorsed, accepted, ...(isRecovered?.(device) && { recovered: true }) },
    reason: `${name} speaks with a key that is not pinned`,
  }
}

/** Devices that a chain of endorsements may lead through: those that have retired, too. */
function inChains({ devices = [], revocations = [] }: KnownName): readonly Device[] {
  const retired = revocations.filter(isRetired).map(({ device }) => device)
  const gone = revocations.map(({ revocation }) => revocation.signatureKey)
  return [...devices.filter(({ signatureKey }) => !includes(gone, signatureKey)), ...retired]
}

/** What is pinned is trusted alone, also where all of it was revoked. */
function rootsOf({ pinned, revocations = [] }: KnownName, devices: readonly Device[]): readonly Uint8Array[] {
  return pinned.length > 0 ? withoutRevoked(pinned, revocations) : rootOf(devices)
}

interface Listing {
  readonly devices: readonly Device[]
  readonly verifyEndorsement: VerifyEndorsement
}

interface Meeting extends Listing {
  readonly isRecovered: ((device: Device) => boolean) | undefined
  readonly recoveryRoot: Uint8Array | undefined
}

/**
 * What the recovery keys of a name have endorsed. At the first contact they rest on the same device as the rest: a directory that
 * shows two roots, of which one has a recovery key, would bring in devices of the second without an alarm.
 */
function recoveredIn(
  { pinned, recovery }: KnownName,
  devices: readonly Device[],
): ((device: Device) => boolean) | undefined {
  const root = recovery?.root
  if (recovery === undefined || (pinned.length === 0 && root === undefined)) return undefined
  if (pinned.length > 0 || root === undefined) return recovery.hasEndorsed
  const listed = devices.filter((it) => it.endorsement === undefined)
  const isSame = listed.every(({ signatureKey }) => equalBytes(signatureKey, root))
  // What is listed without an endorsement has to be that root.
  return isSame ? recovery.hasEndorsed : undefined
}

/** The first contact: exactly one device is taken on the directory's word. */
function meet(name: string, device: Device, meeting: Meeting): Finding {
  const { devices, verifyEndorsement, isRecovered, recoveryRoot } = meeting
  const { signatureKey } = device
  const roots = rootOf(devices)
  // Where the first device was revoked, all the others come from its recovery key.
  const [root = isRecovered && recoveryRoot] = roots
  const accepted = new Chains({ name, devices, verifyEndorsement }).comesFrom(device, { roots, isRecovered })
  if (root !== undefined && accepted) {
    // The root too where it has not been seen yet: who comes from it later is no new acquaintance.
    return { accepted, name, pins: [root, signatureKey].map((key) => ({ name, signatureKey: key, root })) }
  }
  const reason = `${name} has a device that no other device of ${name} has endorsed`
  return { accepted: false, name, keyChange: { name, signatureKey, endorsed: false, accepted: false }, reason }
}

/** Devices that are listed for a name at the first contact, and that nobody claims to be: they raise an alert too. */
function strangers(
  claims: readonly CredentialClaim[],
  people: ReadonlyMap<string, KnownName>,
  { verifyEndorsement }: JudgingPolicy,
): readonly KeyChange[] {
  // In a large group, looking for each key in a list of them all would take longer than everything else.
  const claimed = new Set(claims.map(({ signatureKey }) => keyName(signatureKey)))
  return [...people].flatMap(([name, known]) => {
    if (known.pinned.length > 0) return []
    const devices = inChains(known)
    const chains = new Chains({ name, devices, verifyEndorsement })
    const roots = rootOf(devices)
    const isRecovered = recoveredIn(known, devices)
    const unknown = devices.filter(
      (it) => !claimed.has(keyName(it.signatureKey)) && !chains.comesFrom(it, { roots, isRecovered }),
    )
    return unknown.map(({ signatureKey }) => ({ name, signatureKey, endorsed: false, accepted: false }))
  })
}
