/**
 * Who a signature key belongs to, as verdicts: functions from pinned keys, what a directory lists, and the credentials of
 * a commit. Nothing here asks a service or stores anything; a caller brings what is known and takes what is to be pinned.
 */
export { nameOf } from "./credential-name.js"
export {
  type EndorsementClaim,
  isEndorsement,
  rootOf,
  type VerifyEndorsement,
} from "./device-chain.js"
export { claimedKeys, type JudgingPolicy, judge, judgeDevices, type KnownDevice, type KnownName } from "./judge.js"
export { type Judgement, type KeyChange, type RefusedClaim, refusalInWords } from "./judgement.js"
export { includes, type Pin, withPin } from "./pins.js"
export {
  KnownRecovery,
  type RecoveryListing,
  trustedRecovery,
  type VerifyRecovery,
  verifyRecovery,
} from "./recovery.js"
export {
  isRetired,
  isRevocation,
  type KnownRevocation,
  newRevocations,
  type RecoveryAuthority,
  type RevocationClaim,
  type RevocationListing,
  type VerifyRevocation,
} from "./revocation.js"
