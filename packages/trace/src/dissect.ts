import type { CapturedPacket } from "./captured-packet.js"
import { ethernet, ethertype, llc, mpls, ppp, pppoe } from "./ethernet.js"
import { geneve, gre, ip, ipv4, ipv6, vxlan, vxlanGpe } from "./internet.js"
import { type Layer, type LayerName, type Step, unread } from "./layer.js"
import { linkTypes } from "./link-types.js"
import { ieee80211 } from "./wireless.js"

/**
 * What a packet turned out to be: a TCP segment with its IP header's fields, something without TCP, or something that
 * was not read, with the reason in words.
 */
export type Found = Extract<Step, { readonly kind: "tcp" | "other" | "unread" }>

const layers: Readonly<Record<LayerName, Layer>> = {
  ethernet,
  ethertype,
  llc,
  pppoe,
  ppp,
  mpls,
  ieee80211,
  ip,
  ipv4,
  ipv6,
  gre,
  vxlan,
  "vxlan-gpe": vxlanGpe,
  geneve,
}

/** More than any network stacks: a packet that goes deeper was made to keep its reader busy. */
const HEADERS_MAX = 32

/** Follows the headers of a packet down to TCP. Several results only where a frame carries several packets. Never throws. */
export function dissect({ linkType, bytes, length }: CapturedPacket): readonly Found[] {
  const missing = Math.max(0, length - bytes.length)
  return [...follow({ kind: "link", linkType, bytes }, missing, HEADERS_MAX)]
}

function* follow(step: Step, missing: number, headersLeft: number): Generator<Found> {
  if (headersLeft === 0) {
    yield { kind: "unread", reason: `more than ${HEADERS_MAX} headers in one packet` }
    return
  }
  switch (step.kind) {
    case "next":
      return yield* follow(layers[step.layer](step.bytes, missing), missing, headersLeft - 1)
    case "link":
      return yield* follow(readLink(step.linkType, step.bytes, missing), missing, headersLeft - 1)
    case "several":
      for (const one of step.steps) yield* follow(one, missing, headersLeft - 1)
      return
    case "short":
      yield { kind: "unread", reason: `${missing > 0 ? "cut off in its" : "malformed"} ${step.header} header` }
      return
    default:
      yield step
  }
}

function readLink(linkType: number, bytes: Buffer, missing: number): Step {
  return linkTypes.get(linkType)?.(bytes, missing) ?? unread(`link type ${linkType}`)
}
