/**
 * What was refused for the sake of others, by the limit that it met, and what was denied: for an operator's log, see
 * `onRefusal`. `denials`: who was denied too often has to wait.
 */
export type RefusalKind =
  | "appends"
  | "blobReads"
  | "blobs"
  | "bytes"
  | "claims"
  | "commits"
  | "creations"
  | "cursors"
  | "denials"
  | "denied"
  | "groupQuota"
  | "knocks"
  | "proposals"
  | "pushes"
  | "pushesDropped"
  | "serviceQuota"
  | "signals"
  | "signalsDropped"
  | "subscriptions"
  | "version"
  | "welcomes"
  | "wrongTime"
