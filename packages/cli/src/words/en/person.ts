/** Sending, receiving, devices and recovery keys. */
export const send = {
  progress: "Sending",
  sending: (number: number, all: number) => `Sending message ${number} of ${all}`,
  abandoned: "note: an earlier input was not sent to its end; what was missing of it stays unsent",
  goingOn: (done: number, all: number) =>
    `going on behind an interruption: ${done} of ${all} messages were sent before`,
  gaveUp: (at: string) =>
    `the service at ${at} did not take all of it in time; the same command with the same input goes on`,
  type: "Type the message; Ctrl-D at the beginning of a line ends it.",
  tooLarge: (mebibytes: number) => `the input is larger than ${mebibytes} MiB`,
  empty: "the input is empty: there is nothing to send",
}

export const receive = {
  exclusive: "--lines and --json exclude each other",
  waiting: "Waiting for a message",
  nothing: "nothing arrived",
  only: (received: number, wanted: number | undefined) => `only ${received} of ${wanted} messages arrived`,
  inTime: (what: string, invitations: number) =>
    `${what} in time${
      invitations === 0
        ? ""
        : invitations === 1
          ? "; 1 invitation has no answer"
          : `; ${invitations} invitations have no answer`
    }`,
}

export const devices = {
  registered: (time: string) => `registered ${time}`,
  byRecoveryKey: "endorsed by the recovery key",
  first: "the first",
  endorsedBy: (id: string) => `endorsed by ${id}`,
  thisDevice: "this device",
  unknown: "unknown",
  revokedWith: "revoked with the device that endorsed it",
  revoked: (time: string, by: string | undefined) =>
    `revoked ${time}${by === undefined ? " by the recovery key" : ` by ${by}`}`,
  thisRevoked: "this profile was revoked",
  noneBegins: (who: string, digits: string) => `no device of ${who} begins with ${digits}`,
  severalBegin: (who: string, digits: string) => `more than one device of ${who} begins with ${digits}`,
  digits: (least: number, given: string) => `a device has ${least} or more of 0-9 and a-f, not ${given}`,
}

export const recovery = {
  isSet: (who: string) => `${who} has a recovery key: --replace takes it away`,
  isNotSet: (who: string) => `${who} has no recovery key to replace`,
  typeOld: "Type the recovery key that you have:",
  writeDown: "Write it down, and keep it apart from your devices. It is not shown again.",
  typeNew: "Type it from what you wrote down:",
  different: "this is not what was shown: nothing was changed",
  done: (who: string) => `it is the recovery key of ${who} now, and your other devices are told`,
  noInput: "no recovery key came from the input: nothing was changed",
  exclusive: "either --revoke or --revoke-others",
  type: (who: string) => `Type the recovery key of ${who}:`,
  /** Of a text that is none, as the SDK says it. */
  notAKey: (fault: string) => fault,
}
