import type { DisplayName } from "@conclave/contracts/auth"
import type { Registered, Store, StoredDevice } from "./store.js"

/** The reference model: what every store does, in the plainest way. */
export function memoryStore(): Store {
  const devices: StoredDevice[] = []
  const displayNames = new Map<string, DisplayName>()
  const byId = (deviceId: Uint8Array) => devices.find((device) => Buffer.compare(device.deviceId, deviceId) === 0)
  return {
    async register({ name, deviceId, cipherSuite, signatureKey, at, endorsement, devicesMax }): Promise<Registered> {
      const present = byId(deviceId)
      if (present !== undefined) {
        return present.name === name ? { type: "registered", device: present } : { type: "otherName" }
      }
      const siblings = devices.filter((device) => device.name === name)
      if (siblings.length > 0 && endorsement === undefined) return { type: "nameTaken" }
      if (siblings.length >= devicesMax) return { type: "tooManyDevices" }
      const device = { name, deviceId, cipherSuite, signatureKey, registeredAt: at, endorsement }
      devices.push(device)
      return { type: "registered", device }
    },
    lookup: async (name) => devices.filter((device) => device.name === name),
    lookupDevice: async (deviceId) => byId(deviceId),
    async setDisplayName(name, displayName) {
      const present = displayNames.get(name)
      if (present !== undefined && present.at >= displayName.at) return present
      displayNames.set(name, displayName)
      return displayName
    },
    displayName: async (name) => displayNames.get(name),
  }
}
