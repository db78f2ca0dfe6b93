import { decode, type TypeOf } from "@conclave/codec"
import type { Entry } from "@conclave/contracts/delivery"
import { MLSMessage } from "@conclave/mls/wire"

/**
 * What a message says of itself, and the log does not: another epoch, or another kind. An honest service refuses such an entry, and what
 * members do with an entry follows from what the log says: all of them pass it over. `undefined` where nothing is wrong, and where the
 * message cannot be read.
 */
export function mislabelled({ kind, epoch, body }: Entry): string | undefined {
  const framed = framingOf(body)
  if (framed === undefined || (framed.kind === kind && framed.epoch === epoch)) return undefined
  return `says of itself that it is ${framed.kind}${framed.epoch === undefined ? "" : ` of epoch ${framed.epoch}`}`
}

/** A Welcome, key package or GroupInfo is of no epoch, and has no place in a log. */
function framingOf(body: Uint8Array): { readonly kind: string; readonly epoch: bigint | undefined } | undefined {
  let message: TypeOf<typeof MLSMessage>["wireFormat"]
  try {
    message = decode(MLSMessage, body).wireFormat
  } catch {
    return undefined
  }
  switch (message.type) {
    case "mlsPrivateMessage":
      return { kind: message.privateMessage.contentType, epoch: message.privateMessage.epoch }
    case "mlsPublicMessage":
      return { kind: message.publicMessage.content.contentType.type, epoch: message.publicMessage.content.epoch }
    default:
      return { kind: message.type, epoch: undefined }
  }
}
