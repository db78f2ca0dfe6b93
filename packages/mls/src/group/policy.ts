/** What RFC 9420 leaves to the application, with safe defaults. */
export interface GroupPolicy {
  /** How far ahead of the last application message of a sender one may be, in generations. */
  readonly forwardDistanceMax: number
  /**
   * How many of its application messages a sender may skip in a second, in the long run; at once it may skip as many as
   * `forwardDistanceMax` says.
   */
  readonly skippedPerSecond: number
  /**
   * How far ahead of a sender's last proposal or commit the next may be, in generations: a member that has discarded more
   * commits than this in one epoch is not understood until the next. All members of a group must have the same, whatever
   * the time.
   */
  readonly handshakeDistanceMax: number
  /** How many keys of skipped messages are kept for each sender and kind of message. */
  readonly skippedKeysMax: number
  /** For how many epochs messages that come late can still be read. */
  readonly pastEpochsMax: number
  /** Of how many epochs the resumption secret is kept. */
  readonly resumptionSecretsMax: number
  /** Longest lifetime of a leaf node (RFC 9420 §7.2), in seconds. */
  readonly lifetimeSecondsMax: bigint
  /** Whether leaf nodes that are in the tree already may be past their lifetime: it is checked when they are added. */
  readonly expiredMembersAllowed: boolean
  /** Whether leaf nodes may list types that everybody supports: RFC 9420 §7.2 forbids it, some clients do it. */
  readonly listedDefaultsAllowed: boolean
  /**
   * Whether a leaf node may leave the group's cipher suite out of its capabilities: RFC 9420 §7.3 with §11.1 forbids it,
   * some clients do it. Strict members are left behind where lenient ones let such a leaf in.
   */
  readonly unlistedSuiteAllowed: boolean
  /**
   * Cipher suites, the best first. Whoever creates a group, or reinitialises one, must take the first that everybody in
   * it supports (RFC 9420 §11). Empty where the application has no choice to make.
   */
  readonly suitePreference: readonly number[]
  /** Most leaves of a tree, blank ones included. */
  readonly leafCountMax: number
  /** How proposals and commits travel. */
  readonly handshake: "private" | "public"
  /** Application messages are padded to a multiple of this many bytes. */
  readonly paddingBlockSize: number
  /** Whether random values nobody knows are advertised, so that everybody learns to ignore them (RFC 9420 §13.5). */
  readonly grease: boolean
}

export const defaultPolicy: GroupPolicy = {
  forwardDistanceMax: 1000,
  skippedPerSecond: 10,
  handshakeDistanceMax: 128,
  skippedKeysMax: 1000,
  pastEpochsMax: 3,
  resumptionSecretsMax: 3,
  lifetimeSecondsMax: 366n * 86400n,
  expiredMembersAllowed: true,
  listedDefaultsAllowed: false,
  unlistedSuiteAllowed: false,
  suitePreference: [],
  leafCountMax: 2 ** 20,
  handshake: "private",
  paddingBlockSize: 64,
  grease: true,
}
