/** Words of comparing safety codes and keys. `who`: as a person is called in a sentence. */
export const compareWords = {
  title: (who: string) => `Verify ${who}`,
  how: (who: string) =>
    `Meet ${who}, or call them. They open this conversation, choose your name among the members, and then “Verify”. Both of you see the same code if nobody is in between.`,
  devices: (count: number) =>
    count > 1 ? `The code stands for all ${count} of their devices here, and for all of yours.` : "",
  codeLabel: "Safety code",
  codeWith: (who: string) => `Safety code with ${who}`,
  match: "They match: mark as verified",
  matched: (who: string) => `The codes match. ${who} is verified.`,
  isVerified: (who: string) => `You have verified ${who}.`,
  unverify: "Take the mark away",
  mismatch: (who: string) =>
    `The codes are not the same. Somebody may be reading along, or one of you has a new device. Look again with ${who}, and write nothing secret until they match.`,
  notACode: "That is not a code of Conclave.",
  wrongLength: (digits: number) => `Those are not ${digits} digits.`,
  scan: "Scan with the camera",
  cannotScan: "This browser cannot scan codes.",
  scanning: "Hold the other screen in front of the camera.",
  stopScanning: "Stop the camera",
  noCamera: "The camera cannot be used.",
  typed: "Or type or paste the digits that you were sent",
  check: "Check",
  copy: "Copy the digits",
  copied: "Digits copied",
  picture: "QR code of these digits, for the other camera",
  verified: "verified",
  changed: "verify again",
  changedText: (who: string) =>
    `You had verified ${who}. Since then one of you has another device, so the code is a new one: compare it again.`,
  notVerified: (who: string) => `You have not compared codes with ${who} yet.`,
  allVerified: "everybody is verified",
  someChanged: "somebody has a new key: verify again",
}

/** Words about a key that is not known of a name. */
export const keyWords = {
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
  noticeApproved: (who: string) => `${who} uses a new key, which you approved.`,
  noticeAccepted: (who: string) => `${who} added a device. One of their devices signed for it.`,
}
