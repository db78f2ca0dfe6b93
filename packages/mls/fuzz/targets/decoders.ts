import assert from "node:assert/strict"
import { type Codec, decode, encode, type Registries } from "@conclave/codec"
import { decodeGroupInfo } from "@conclave/mls"
import { DecodeError } from "../../src/errors.js"
import * as wire from "../../src/wire.js"
import { copyOf } from "../../test/vectors/vector.js"
import { joined } from "../bytes.js"
import type { Target } from "../engine.js"
import { nodesOf } from "../invitation-forger.js"
import { valuesIn } from "../values.js"
import type { World } from "../world.js"

/** Every decoder of the wire format. */
export function wireDecoders({ scenes, invitations, alice }: World): Target[] {
  const { registries } = alice.options
  const messages = scenes[0]!.messages.map((message) => decode(wire.MLSMessage, message, { registries: registries! }))
  const trees = invitations.map((it) => ({ tree: nodesOf(decodeGroupInfo(it.groupInfo)) }))
  const known = valuesIn([...messages, ...trees])
  const auth = ["application", "proposal", "commit"] as const
  const dependent = Object.fromEntries(
    auth.flatMap((type): [string, Codec<any>][] => [
      [`FramedContentAuthData of ${type}`, wire.framedContentAuthData(type)],
      // Its padding is no part of the value: zeros as long as the input.
      [`PrivateMessageContent of ${type}`, wire.privateMessageContent(type)],
    ]),
  )
  return Object.entries({ ...codecsIn(wire), ...dependent }).map(([name, codec]) =>
    decoder(`mls ${name}`, codec, { registries, known, isPadded: name.startsWith("PrivateMessageContent") }),
  )
}

/** Every codec that a module exports. */
export function codecsIn(module: object): Record<string, Codec<any>> {
  const found = Object.entries(module).filter(
    ([, value]) => typeof value?.read === "function" && typeof value.write === "function",
  )
  return Object.fromEntries(found)
}

export function decoder(
  name: string,
  codec: Codec<any>,
  options: {
    readonly registries?: Registries | undefined
    /** Values of which some are of the codec's type: they are what is tried first. */
    readonly known?: readonly unknown[]
    readonly isPadded?: boolean
  } = {},
): Target {
  const { registries, known = [], isPadded = false } = options
  return {
    name,
    seeds: [new Uint8Array(0), new Uint8Array(64), ...encodingsOf(codec, known)],
    batch: 64,
    share: 1,
    run(input) {
      let value: unknown
      try {
        value = decode(codec, input, registries === undefined ? {} : { registries })
      } catch (error) {
        if (error instanceof DecodeError) return "refused"
        throw error
      }
      // A copy has none of the kept bytes of which a decoded value would be written.
      for (const again of [encode(codec, value), encode(codec, copyOf(value))]) {
        const written = isPadded ? joined(again, new Uint8Array(Math.max(0, input.length - again.length))) : again
        if (Buffer.compare(written, input) !== 0) assert.fail("what was decoded is encoded as something else")
      }
      return "decoded"
    },
  }
}

/** Shortest first, and no more than a few: most differ in nothing that a decoder sees. */
function encodingsOf(codec: Codec<any>, values: readonly unknown[]): Uint8Array[] {
  const found = new Map<string, Uint8Array>()
  for (const value of values) {
    try {
      const encoded = encode(codec, copyOf(value))
      found.set(Buffer.from(encoded).toString("base64"), encoded)
    } catch {
      // Not a value of this type.
    }
  }
  return [...found.values()].sort((a, b) => a.length - b.length).slice(0, 8)
}
