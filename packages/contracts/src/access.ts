import { alias, boolean, enumeration, fixed, opaque, struct, type TypeOf, uint64, union, utf8 } from "@conclave/codec"

/**
 * Who may do what with the log of a group, without a roster: whoever proves a key of the group's.
 *
 * An *interval* begins with a group, and with each commit that has a path (RFC 9420 §7.5). From the exporter of the epoch
 * that begins, its members derive an Ed25519 key; the commit registers the public half with the service. Commits and
 * proposals prove the newest registered key. Messages do, too, or for a minute the one before, unless somebody has been
 * removed in between. Reading proves the key of any interval, and reaches up to and including the first removal after it.
 * Thus a removed member appends nothing more, and reads no further than the removal; a stranger who knows the group's id
 * can do nothing with it. A proof names no account.
 *
 * A signature costs the service more than the rest of an append. Whoever has proved a key by one therefore gets a
 * {@link Pass}: a tag to read with, and a key for MACs over further requests.
 */

/** An Ed25519 public key (RFC 8032): 32 bytes. */
export const AccessKey = alias("AccessKey", fixed(32))

/** The interval that an entry of the log begins. */
export const Interval = struct("Interval", {
  accessKey: AccessKey,
  /** The commit removes somebody: the keys of earlier intervals read no further than this entry. */
  removes: boolean,
})
export type Interval = TypeOf<typeof Interval>

/** The label of the signature in a proof: `SignWithLabel(., "ConclaveAccess", AccessTBS)` (RFC 9420 §5.1.2). */
export const ACCESS_LABEL = "ConclaveAccess"
/** Of what is signed with the access key. */
export const AccessTBS = struct("AccessTBS", {
  /** Unix time in milliseconds; accepted within five minutes of the service's clock. */
  at: uint64,
  /**
   * The request as it is sent, version byte included; for a cursor of a subscription, the Cursor. Either with `none` in the
   * place of the access.
   */
  content: opaque,
})

/** The label in an {@link AccessMacTBS}. */
export const ACCESS_MAC_LABEL = "ConclaveAccessMac"
/** The input of the MAC of a request or cursor: HMAC-SHA256(`macKey` of a {@link Pass}, AccessMacTBS), 32 bytes. */
export const AccessMacTBS = struct("AccessMacTBS", {
  /** {@link ACCESS_MAC_LABEL} */
  label: utf8,
  tbs: AccessTBS,
})
export type AccessMacTBS = TypeOf<typeof AccessMacTBS>

const AccessKind = enumeration("AccessKind", 1, { none: 0, proof: 1, pass: 2, mac: 3 })
/**
 * By what somebody asks.
 *
 * - `proof`: a signature with a key of the group's, over the request. It proves that the sender knows the private key. A
 *   copy is good for this request or cursor alone, for five minutes. The exception is a cursor: repeating it returns the
 *   pass again.
 * - `mac`: a MAC over the request, by the `macKey` of the pass for `key` and `until`. It proves that the sender has
 *   received that pass, and is accepted wherever a proof is, by the same rules on keys, until `until`. A copy is good for
 *   this request or cursor alone, for five minutes, and returns no pass. It proves nothing to a third party: the service
 *   knows `macKey` as well.
 * - `pass`: the `tag` of a pass, good for reading until `until` (Unix time in milliseconds). It reads what the key reads.
 *   A copy of it reads until then, too, for it covers no request; it appends nothing, and neither `macKey` nor a MAC can
 *   be computed from it.
 * - `none`: stands for the others while a request is signed. A group without any registered key, which was made before
 *   there were such keys, asks for nothing else.
 */
export const Access = union("Access", "kind", AccessKind, {
  none: {},
  proof: { key: AccessKey, at: uint64, signature: opaque },
  pass: { key: AccessKey, until: uint64, tag: fixed(32) },
  mac: { key: AccessKey, until: uint64, at: uint64, mac: fixed(32) },
})
export type Access = TypeOf<typeof Access>
export const noAccess: Access = { type: "none" }

/**
 * What the service gives to whoever has proved `key` by a signature: for one group, this key, and until `until` (Unix time
 * in milliseconds). Whoever copies an answer that contains it can do all that `key` allows until then, so it is sent over
 * confidential connections only. The holder sends `tag` with each reading request, but never sends `macKey`.
 */
export const Pass = struct("Pass", {
  groupId: opaque,
  key: AccessKey,
  until: uint64,
  /** For `pass`. */
  tag: fixed(32),
  /** For `mac`: independent of `tag`, since each reading request shows that. */
  macKey: fixed(32),
})
export type Pass = TypeOf<typeof Pass>
