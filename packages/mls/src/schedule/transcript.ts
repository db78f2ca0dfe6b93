import { opaque, written } from "@conclave/codec"
import type { CipherSuite } from "../suite/suite.js"
import { FramedContent, InterimTranscriptHashInput, WireFormat } from "../wire.js"

/** RFC 9420 §8.2: takes the content of a Commit and its signature into the confirmed transcript hash. */
export function confirmedTranscriptHash(
  suite: CipherSuite,
  interim: Uint8Array,
  commit: {
    readonly wireFormat: "mlsPublicMessage" | "mlsPrivateMessage"
    readonly content: FramedContent
    readonly signature: Uint8Array
  },
): Uint8Array {
  return written((writer) => {
    writer.bytes(interim)
    WireFormat.write(writer, commit.wireFormat)
    FramedContent.write(writer, commit.content)
    opaque.write(writer, commit.signature)
    return suite.hash.digest(writer.view())
  })
}

/** RFC 9420 §8.2: takes the confirmation tag in on top. */
export function interimTranscriptHash(
  suite: CipherSuite,
  confirmed: Uint8Array,
  confirmationTag: Uint8Array,
): Uint8Array {
  return written((writer) => {
    writer.bytes(confirmed)
    InterimTranscriptHashInput.write(writer, { confirmationTag })
    return suite.hash.digest(writer.view())
  })
}
