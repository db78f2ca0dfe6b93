/** Comparing safety codes and keys. `who`: as a person is called in a sentence. */
export const compare = {
  title: (who: string) => `Verify ${who}`,
  how: (who: string) =>
    `Meet ${who}, or call them. They open this conversation, choose your name among the members, and then “Verify”. Both of you see the same code if nobody is in between.`,
  devices: (count: number) =>
    count > 1 ? `The code stands for all ${count} of their devices here, and for all of yours.` : "",
  codeLabel: "Safety code",
  codeWith: (who: string) => `Safety code with ${who}`,
  match: "They match: mark as verified",
  matched: (who: string) => `The codes match. ${who} is verified.`,
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
}
