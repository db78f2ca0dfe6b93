/** The view of oneself: name, key, devices. */
export const you = {
  title: "You",
  back: "Back to the conversations",
  called: "What others see",
  name: "Name",
  displayName: "Display name",
  noDisplayName: "none",
  change: "Change",
  nameFixed: "The name stays as it is. Others find you by it.",
  copyInvitation: "Copy an invitation",
  invitationCopied: "Invitation copied",
  invitation: (name: string, address: string) => `Write to me on Conclave: open ${address} and invite “${name}”.`,
  key: "This device",
  keyText:
    "This code stands for the key of this device. Somebody who sees a new key of yours compares it with what they are shown: read it to them, or let them scan it.",
  codeLabel: "Code of this device",
  picture: "QR code of this device’s code",
  copy: "Copy the code",
  copied: "Code copied",
  devices: "Your devices",
  devicesText:
    "An older device can revoke a younger one, never the other way round. So keep the oldest where it is safest.",
  thisDevice: "this device",
  since: "since",
  oldest: "the oldest",
  recovered: "came with the recovery key",
  olderRecovery: "older than this device: only an older one or the recovery key can revoke it",
  notVouched: "none of your devices signed for it",
  revoked: "revoked",
  older: "older than this device: only an older one can revoke it",
  loading: "Asking the service…",
  unreachable: "The list cannot be read at present. Other things on this page work.",
  again: "Try again",
  revoke: "Revoke",
  revokeByKey: "Revoke with the recovery key",
  revokeByKeyNamed: (code: string) => `Revoke with the recovery key: device ${code}`,
  revokeNamed: (code: string) => `Revoke the device ${code}`,
  revokeTitle: "Revoke this device?",
  revokeText: (isAlone: boolean) =>
    `It is taken out of all your conversations, and nobody invites it again. What it has read so far stays on it. This cannot be undone.${
      isAlone ? "" : " Devices that it signed for are revoked with it, but for those that you keep:"
    }`,
  keep: (code: string) => `Keep the device ${code}`,
  revokeAction: "Revoke the device",
  revoking: "Revoking…",
  didRevoke: (count: number) =>
    count > 1
      ? `${count} devices are revoked. Members take them out of every conversation when they are next online.`
      : "The device is revoked. Members take it out of every conversation when they are next online.",
  alerts: "About your name",
  noAlerts: "This device has seen no unknown device under your name.",
  unknownDevice: "A device that none of yours signed for uses your name. You have refused it.",
  lookAgain: "Look at it again",
}

/** What others see beside one's name. */
export const displayName = {
  title: "What others see",
  label: "Display name",
  hint: (name: string) =>
    `It stands beside your name, ${name}, which stays as it is. Leave it empty to show the name alone. Others are told of the change when their devices look you up the next time.`,
  save: "Save",
  saving: "Saving…",
}
