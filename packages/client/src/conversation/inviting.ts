import { equalBytes } from "@conclave/crypto"
import { type Judgement, nameOf } from "@conclave/identity/verdicts"
import { decodeKeyPackage, type LeafNode } from "@conclave/mls"
import { hex } from "../bytes.js"
import { nobodyIsCalled } from "../identity/names.js"
import type { Claimed, WishOf } from "../records/records.js"
import type { ClaimedPackage, Listed, Question, Wanted } from "./question.js"
import type { Inviting, Why } from "./state.js"
import type { Turn } from "./turn.js"
import type { Numbered } from "./wishes.js"

/** Of those who are not there, or of those who are and cannot come back by themselves. */
type InviteWish = WishOf<"invite" | "reinvite">

/**
 * The next question about an invitation: who the devices of each name are; a key package of each that is not a member
 * and has none claimed; who they are. `undefined` when everything is known: see {@link readyOf}.
 */
export function invite(turn: Turn, [number, wish]: Numbered<InviteWish>): Question | undefined {
  const { state } = turn
  const inviting = state.inviting.get(number) ?? { unreachable: [] }
  const { listed, judgement, why } = inviting
  if (why !== undefined || judgement !== undefined) return undefined
  if (listed === undefined) return { type: "devices", wish: number, names: wish.names }
  const found = devicesOf(turn, wish, inviting)
  if ("why" in found) {
    state.inviting.set(number, { ...inviting, why: found.why })
    return undefined
  }
  if (found.wanted.length > 0) return { type: "claim", wish: number, devices: found.wanted }
  return { type: "judge", wish: number, claims: found.ready.map(claimOf) }
}

interface Found {
  /** Devices to be added whose key packages are there. */
  readonly ready: readonly Claimed[]
  /** Devices whose key packages have to be claimed. */
  readonly wanted: readonly Wanted[]
}

function devicesOf({ state, moment }: Turn, wish: InviteWish, inviting: Inviting): Found | { readonly why: Why } {
  const suite = moment.identity.suite.number
  const ready: Claimed[] = []
  const wanted: Wanted[] = []
  const claimed = new Map(wish.claimed.map((it) => [hex(it.signatureKey), it]))
  const unreachable = new Set(inviting.unreachable.map(hex))
  // All of them: who invites several people is to look after the names once.
  const unknown: string[] = []
  const without: string[] = []
  for (const name of wish.names) {
    const listed: Listed | undefined = inviting.listed?.get(name)
    if (listed === undefined || "failure" in listed) {
      return { why: { code: listed?.failure.code ?? "REFUSED", reason: listed?.failure.message ?? "no answer" } }
    }
    const devices = listed.devices.filter(({ cipherSuite }) => cipherSuite === suite)
    if (devices.length === 0) unknown.push(name)
    let isReachable = devices.length === 0
    for (const { deviceId, signatureKey } of devices) {
      const key = hex(signatureKey)
      const known = claimed.get(key)
      // A device cannot take itself out.
      const isLeft = wish.type === "invite" || equalBytes(signatureKey, moment.identity.signatureKey)
      if (isLeft && state.group?.hasSignatureKey(signatureKey)) isReachable = true
      else if (known !== undefined) {
        isReachable = true
        ready.push(known)
      } else if (!unreachable.has(key)) {
        isReachable = true
        wanted.push({ name, deviceId, signatureKey })
      }
    }
    if (!isReachable) without.push(name)
  }
  if (unknown.length > 0) return { why: { code: "UNKNOWN_NAME", reason: nobodyIsCalled(unknown) } }
  if (without.length > 0) {
    return { why: { code: "NO_KEY_PACKAGE", reason: `${without.join(", ")} cannot be added at present` } }
  }
  return { ready, wanted }
}

export function onDevices({ state }: Turn, number: number, listed: ReadonlyMap<string, Listed>): void {
  state.inviting.set(number, { unreachable: [], listed })
}

/** Claimed key packages are stored at once: nobody else can get them. */
export function onClaimed(
  turn: Turn,
  { wish: number, devices }: { readonly wish: number; readonly devices: readonly Wanted[] },
  claims: readonly ClaimedPackage[],
): void {
  const { state } = turn
  const wish = state.wishes.get(number)
  const inviting = state.inviting.get(number)
  if ((wish?.type !== "invite" && wish?.type !== "reinvite") || inviting === undefined) return
  const claimed: Claimed[] = []
  const unreachable: Uint8Array[] = []
  let why: Why | undefined
  for (const [at, device] of devices.entries()) {
    const claim = claims[at]
    if (claim === undefined || "failure" in claim) {
      why ??= { code: claim?.failure.code ?? "REFUSED", reason: claim?.failure.message ?? "no answer" }
    } else if (claim.keyPackage === undefined) unreachable.push(device.signatureKey)
    else {
      why ??= claim.fault
      claimed.push({ ...device, keyPackage: claim.keyPackage })
    }
  }
  state.inviting.set(number, {
    ...inviting,
    unreachable: [...inviting.unreachable, ...unreachable],
    ...(why !== undefined && { why }),
  })
  if (why === undefined && claimed.length > 0) {
    turn.putWish(number, { ...wish, claimed: [...wish.claimed, ...claimed] })
  }
}

/** The service hands out key packages: it must not be able to put one person in the place of another. */
export function faultOf({ name, signatureKey }: Wanted, keyPackage: Uint8Array): Why | undefined {
  let leaf: LeafNode
  try {
    leaf = decodeKeyPackage(keyPackage).leafNode
  } catch {
    return { code: "REFUSED", reason: `the service gave something else than a key package of ${name}` }
  }
  if (nameOf(leaf.credential) === name && equalBytes(leaf.signatureKey, signatureKey)) return undefined
  return { code: "REFUSED", reason: `the service gave somebody else's key package for ${name}` }
}

export function onInvitationJudged({ state }: Turn, number: number, judgement: Judgement): void {
  const inviting = state.inviting.get(number)
  if (inviting === undefined) return
  const [first] = judgement.refused
  const code = first?.keyChanged ? "KEY_CHANGED" : "REFUSED"
  const why = first && ({ code, reason: first.reason } as const)
  state.inviting.set(number, { ...inviting, judgement, ...(why !== undefined && { why }) })
}

function claimOf({ name, signatureKey }: Claimed) {
  const credential = { type: "basic", identity: new TextEncoder().encode(name) } as const
  return { credential, signatureKey, reason: "add" } as const
}
