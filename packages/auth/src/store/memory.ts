import type { DisplayName } from "@conclave/contracts/auth"
import { accountRecovery, accountRevocation } from "./account.js"
import { erasureFault, registeredAfter, registrationFault } from "./rank.js"
import { judgeRecoveryKey, type StoredRecoveryKey } from "./recovery.js"
import { judgeRevoking } from "./revoking.js"
import type { Account, Operated, Registered, Store, StoredDevice, Suspended } from "./store.js"

/** The reference model: what every store does, in the plainest way. */
export function memoryStore(): Store & Operated {
  let devices: Omit<StoredDevice, "suspended">[] = []
  const erased = new Set<string>()
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")
  const suspensions = new Map<string, string>()
  const displayNames = new Map<string, DisplayName>()
  const recoveryKeys = new Map<string, readonly StoredRecoveryKey[]>()
  const withState = (device: Omit<StoredDevice, "suspended">): StoredDevice => {
    return { ...device, suspended: suspensions.get(device.name) }
  }
  const byId = (deviceId: Uint8Array) => {
    const found = devices.find((device) => Buffer.compare(device.deviceId, deviceId) === 0)
    return found && withState(found)
  }
  const suspensionOf = (name: string): Suspended | undefined => {
    const reason = suspensions.get(name)
    return reason === undefined ? undefined : { type: "suspended", reason }
  }
  return {
    async register({ name, deviceId, cipherSuite, signatureKey, at, endorsement, ...room }): Promise<Registered> {
      const present = byId(deviceId)
      if (present !== undefined) {
        if (present.name !== name) return { type: "otherName" }
        if (present.revoked !== undefined) return { type: "revoked", device: present }
        return suspensionOf(name) ?? { type: "registered", device: present }
      }
      if (erased.has(hex(deviceId))) return { type: "erased" }
      const siblings = devices.filter((device) => device.name === name)
      if (erased.has(name) || (siblings.length > 0 && endorsement === undefined)) return { type: "nameTaken" }
      const suspension = suspensionOf(name)
      if (suspension !== undefined) return suspension
      const endorser = siblings.find((it) => endorsement && hex(it.deviceId) === hex(endorsement.deviceId))
      if (endorser?.revoked !== undefined) return { type: "endorserRevoked" }
      const fault = registrationFault(siblings, {
        at,
        endorsement,
        ...room,
        recoveryKeys: recoveryKeys.get(name) ?? [],
      })
      if (fault !== undefined) return fault
      const registeredAt = registeredAfter(siblings, at)
      const device = { name, deviceId, cipherSuite, signatureKey, registeredAt, endorsement, revoked: undefined }
      devices.push(device)
      return { type: "registered", device: withState(device) }
    },
    lookup: async (name) => devices.filter((device) => device.name === name).map(withState),
    lookupDevice: async (deviceId) => byId(deviceId),
    async setDisplayName(name, displayName) {
      if (erased.has(name)) return { type: "erased" }
      const suspension = suspensionOf(name)
      if (suspension !== undefined) return suspension
      const device = byId(displayName.deviceId)
      if (device?.revoked !== undefined) return { type: "revoked", device }
      const present = displayNames.get(name)
      if (present !== undefined && present.at >= displayName.at) return present
      displayNames.set(name, displayName)
      return displayName
    },
    displayName: async (name) => displayNames.get(name),
    async account(name): Promise<Account | undefined> {
      const [own, displayName] = [devices.filter((device) => device.name === name), displayNames.get(name)]
      if (own.length === 0) return undefined
      return {
        name,
        displayName: displayName === undefined ? null : { text: displayName.text, at: Number(displayName.at) },
        suspended: suspensions.get(name) ?? null,
        recoveryKeys: accountRecovery(recoveryKeys.get(name) ?? []),
        devices: own.map(({ deviceId, cipherSuite, signatureKey, registeredAt, endorsement, revoked }) => ({
          id: hex(deviceId),
          cipherSuite,
          signatureKey: hex(signatureKey),
          registeredAt: Number(registeredAt),
          endorsedBy: endorsement === undefined ? null : hex(endorsement.deviceId),
          revoked: accountRevocation(revoked),
          ...{ keyPackages: [], inboxHead: 0, inbox: [] },
        })),
      }
    },
    async erase(name, { deviceId }) {
      if (erased.has(hex(deviceId))) return { type: "erased" }
      const by = byId(deviceId)
      const keys = recoveryKeys.get(name) ?? []
      const isRecovery = keys.length > 0 && hex(keys.at(-1)!.id) === hex(deviceId)
      if (!isRecovery && (by?.name !== name || by.revoked !== undefined)) return { type: "notFound" }
      const suspension = suspensionOf(name)
      if (suspension !== undefined) return suspension
      const own = devices.filter((device) => device.name === name)
      const fault = erasureFault(own, { deviceId, recoveryKeys: keys })
      if (fault !== undefined) return fault
      for (const { id } of keys) erased.add(hex(id))
      recoveryKeys.delete(name)
      for (const it of devices) if (it.name === name) erased.add(hex(it.deviceId))
      erased.add(name)
      devices = devices.filter((device) => device.name !== name)
      displayNames.delete(name)
      return { type: "erased" }
    },
    isErased: async (deviceId) => erased.has(hex(deviceId)),
    recoveryKeys: async (name) => recoveryKeys.get(name) ?? [],
    async setRecoveryKey(name, recoveryKey) {
      const own = devices.filter((device) => device.name === name)
      if (own.length === 0) return { type: "notFound" }
      const suspension = suspensionOf(name)
      if (suspension !== undefined) return suspension
      const present = recoveryKeys.get(name) ?? []
      const judged = judgeRecoveryKey(recoveryKey, { devices: own, present })
      if (typeof judged !== "string") return { type: "refused", reason: judged.refused }
      const keys = judged === "add" ? [...present, recoveryKey] : present
      recoveryKeys.set(name, keys)
      return { type: "recoveryKeys", keys }
    },
    async revoke(name, revoking) {
      const own = devices.filter((device) => device.name === name)
      if (own.length === 0) return { type: "notFound" }
      const suspension = suspensionOf(name)
      if (suspension !== undefined) return suspension
      const changes = judgeRevoking(own, revoking, recoveryKeys.get(name))
      if ("refused" in changes) return { type: "refused", reason: changes.refused }
      const change = (id: Uint8Array, to: Partial<StoredDevice>) => {
        devices = devices.map((it) => (hex(it.deviceId) === hex(id) ? { ...it, ...to } : it))
      }
      for (const { deviceId, endorsement } of changes.endorsements) change(deviceId, { endorsement })
      for (const { deviceId, revocation } of changes.revoked) change(deviceId, { revoked: { revocation } })
      return { type: "revoked", devices: devices.filter((device) => device.name === name).map(withState) }
    },
    async suspend(name, reason) {
      const isKnown = devices.some((device) => device.name === name)
      if (isKnown) suspensions.set(name, reason)
      return isKnown
    },
    resume: async (name) => suspensions.delete(name),
  }
}
