import { type Codec, DecodeError, decode, opaque, struct, uint64 } from "@conclave/codec"
import type { Append, CommitParts } from "@conclave/contracts/delivery"
import { equalBytes } from "@conclave/crypto"
import {
  ContentType,
  type KeyPackage,
  MLSMessage,
  PrivateMessage,
  ProtocolVersion,
  Sender,
  WireFormat,
} from "@conclave/mls/wire"

/**
 * What is public in an MLS message (RFC 9420 §6), checked against the request that brings it. The functions return
 * what is wrong, or `undefined`.
 */

/** The entry's body says the same group, epoch and kind as the request, and a commit brings its parts. */
export function appendFault({ groupId, epoch, kind, body, commit }: Append): string | undefined {
  if ((kind === "commit") !== (commit !== undefined)) return "the parts of a commit go with a commit, and only with one"
  const header = headerOf(body)
  if (typeof header === "string") return `body: ${header}`
  if (!equalBytes(header.groupId, groupId)) return "body: it is a message of another group"
  if (header.epoch !== epoch) return `body: it is a message of epoch ${header.epoch}`
  if (header.contentType !== kind) return `body: it is a message of kind ${header.contentType}`
  return commit === undefined ? undefined : commitFault(commit)
}

/** A KeyPackage in an MLSMessage, or what is wrong with the bytes. */
export function keyPackageOf(bytes: Uint8Array): KeyPackage | string {
  const message = messageOf(bytes)
  if (typeof message === "string") return message
  return message.wireFormat.type === "mlsKeyPackage" ? message.wireFormat.keyPackage : "it is no KeyPackage"
}

interface Header {
  readonly groupId: Uint8Array
  readonly epoch: bigint
  readonly contentType: "application" | "proposal" | "commit"
}

// What follows is for members: the service does not know every proposal type and need not.
const PublicHeader = struct("PublicHeader", {
  groupId: opaque,
  epoch: uint64,
  sender: Sender,
  authenticatedData: opaque,
  contentType: ContentType,
})
const Outermost = struct("Outermost", { version: ProtocolVersion, wireFormat: WireFormat })

function headerOf(body: Uint8Array): Header | string {
  return attempt(() => {
    const { wireFormat } = decode(withRest(Outermost), body)
    const content = body.subarray(4)
    if (wireFormat === "mlsPrivateMessage") return decode(PrivateMessage, content)
    if (wireFormat !== "mlsPublicMessage") return "it is neither a PublicMessage nor a PrivateMessage"
    const header = decode(withRest(PublicHeader), content)
    // RFC 9420 §6: application data MUST be sent as PrivateMessage.
    return header.contentType === "application" ? "application data is encrypted" : header
  })
}

/** Reads the beginning and leaves the rest alone. */
function withRest<T>(codec: Codec<T>): Codec<T> {
  return {
    ...codec,
    read(reader) {
      const value = codec.read(reader)
      reader.bytes(reader.remaining)
      return value
    },
  }
}

function commitFault({ welcome, recipients }: CommitParts): string | undefined {
  if (welcome.length > 0 !== recipients.length > 0) return "welcome: it comes with recipients, and they with it"
  if (new Set(recipients.map((it) => Buffer.from(it.deviceId).toString("hex"))).size < recipients.length) {
    return "recipients: a device is named twice"
  }
  return recipients.length > 0 ? welcomeFault(welcome, recipients.length) : undefined
}

function welcomeFault(welcome: Uint8Array, recipients: number): string | undefined {
  const message = messageOf(welcome)
  if (typeof message === "string") return `welcome: ${message}`
  if (message.wireFormat.type !== "mlsWelcome") return "welcome: it is no Welcome"
  const { secrets } = message.wireFormat.welcome
  return secrets.length < recipients ? "welcome: it is for fewer than the recipients" : undefined
}

function messageOf(bytes: Uint8Array): MLSMessage | string {
  return attempt(() => decode(MLSMessage, bytes))
}

function attempt<T>(read: () => T): T | string {
  try {
    return read()
  } catch (error) {
    if (error instanceof DecodeError) return error.message
    throw error
  }
}
