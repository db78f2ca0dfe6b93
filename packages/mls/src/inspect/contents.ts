import { type Codec, type Contents, DecodeError, decode } from "@conclave/codec"
import { extensionTypes } from "../tree/leaf.js"
import { type Extension, ExternalPub, ExternalSenders, RatchetTreeNodes, RequiredCapabilities } from "../wire.js"

const codecs: ReadonlyMap<number, { readonly codec: Codec<any>; readonly name?: string }> = new Map([
  [extensionTypes.ratchetTree, { codec: RatchetTreeNodes, name: "ratchet_tree" }],
  [extensionTypes.requiredCapabilities, { codec: RequiredCapabilities }],
  [extensionTypes.externalPub, { codec: ExternalPub }],
  [extensionTypes.externalSenders, { codec: ExternalSenders, name: "external_senders" }],
])

/** What the data of an extension of RFC 9420 §17.3 hold; the error where they hold something else. */
export function extensionContents({ extensionType, extensionData }: Extension): Contents | DecodeError | undefined {
  const known = codecs.get(extensionType)
  if (known === undefined) return undefined
  try {
    return { ...known, value: decode(known.codec, extensionData) }
  } catch (error) {
    if (error instanceof DecodeError) return error
    throw error
  }
}
