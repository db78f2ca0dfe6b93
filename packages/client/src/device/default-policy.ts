import type { ClientPolicy } from "../client.js"

export const defaultPolicy: ClientPolicy = {
  invitations: "accept",
  invitationLimits: {},
  endorsedKey: "accept",
  history: true,
  keyPackages: 20,
  keyPackageLifetimeSeconds: 90 * 86_400,
  leaveDelayMilliseconds: 3_000,
  renewAfterMilliseconds: 7 * 86_400_000,
  renewalsPerDay: 50,
}
