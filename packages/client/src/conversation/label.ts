import { decode } from "@conclave/codec"
import type { Entry } from "@conclave/contracts/delivery"
import { MLSMessage } from "@conclave/mls/wire"

/**
 * What a message says of itself, and the log does not: another epoch, or another kind. An honest service refuses such an entry, and what
 * members do with an entry follows from what the log says: all of them pass it over. `undefined` where nothing is wrong, and where the
 * message cannot be read.
 */
export function mislabelled({ kind, epoch, body }: Entry): string | undefined {
  if (kind === "expired") return undefined
  const framed = framingOf(body)
  if (framed === undefined || (framed.kind === kind && framed.epoch === epoch)) return undefined
  return `says of itself that it is a message of kind ${framed.kind} and epoch ${framed.epoch}`
}

function framingOf(body: Uint8Array): { readonly kind: string; readonly epoch: bigint } | undefined {
  try {
    const { wireFormat: message } = decode(MLSMessage, body)
    if (message.type === "mlsPrivateMessage") {
      const { contentType, epoch } = message.privateMessage
      return { kind: contentType, epoch }
    }
    if (message.type !== "mlsPublicMessage") return undefined
    const { contentType, epoch } = message.publicMessage.content
    return { kind: contentType.type, epoch }
  } catch {
    return undefined
  }
}
