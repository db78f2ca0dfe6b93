/** Whether the codes of people have been compared. */
export const trust = {
  verified: "verified",
  changed: "verify again",
  allVerified: "everybody is verified",
  someChanged: "somebody has a new key: verify again",
  isVerified: (who: string) => `You have verified ${who}.`,
  changedText: (who: string) =>
    `You had verified ${who}. Since then one of you has another device, so the code is a new one: compare it again.`,
  notVerified: (who: string) => `You have not compared codes with ${who} yet.`,
}

/** About a key that is not known of a name. */
export const keys = {
  newKey: "New key",
  compare: "Compare it",
  refuse: "Keep refusing",
  seen: "I have seen it",
  verify: (who: string) => `Verify ${who} again`,
  approve: (who: string) => `It is ${who}: approve`,
  approveOwn: "It is mine: approve",
  wasVerified: (who: string) => `You had verified ${who}. That no longer holds.`,
  title: (who: string) => `The new key of ${who}`,
  titleOwn: "The new key of your name",
  how: (who: string) =>
    `Call ${who}, or meet them. Ask them to open “You” on their new device and to read the code of that device to you. Approve only if it is this one.`,
  howOwn: "Open “You” on the other device, if you have one. Approve only if its code is this one.",
  codeLabel: "Code of the new key",
  matched: "The codes match. You can approve it.",
  mismatch:
    "The codes are not the same: this key is not on that device. Keep refusing it, and tell the others in another way.",
  approved: (who: string) => `You approved the new key of ${who}.`,
  approvedOwn: "You approved the new key as yours.",
  noticeOpen: (who: string) => `${who} uses a new key, which you have not approved.`,
  noticeApproved: (who: string) => `${who} uses a new key, which you approved.`,
  noticeAccepted: (who: string) => `${who} added a device. One of their devices signed for it.`,
}
