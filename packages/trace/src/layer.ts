/** Every header that is read, by name: so a layer can lead to any other without importing it. */
export type LayerName =
  | "ethernet"
  | "ethertype"
  | "llc"
  | "pppoe"
  | "ppp"
  | "mpls"
  | "ieee80211"
  | "ip"
  | "ipv4"
  | "ipv6"
  | "gre"
  | "vxlan"
  | "vxlan-gpe"
  | "geneve"

/** A TCP segment with what its IP header says of it. */
export interface Carried {
  readonly source: string
  readonly destination: string
  /** RFC 791 §3.1; `undefined` in IPv6. */
  readonly identification: number | undefined
  /** What was captured, and the length in bytes by the IP header. */
  readonly bytes: Buffer
  readonly length: number
  /** More of the segment follows in other IP fragments. */
  readonly isFragmented: boolean
}

/** What one header leads to. */
export type Step =
  | { readonly kind: "next"; readonly layer: LayerName; readonly bytes: Buffer }
  | { readonly kind: "link"; readonly linkType: number; readonly bytes: Buffer }
  | { readonly kind: "several"; readonly steps: readonly Step[] }
  | { readonly kind: "tcp"; readonly carried: Carried }
  /** Understood, and there is no TCP in it. */
  | { readonly kind: "other" }
  /** Not understood, or not readable: there may be TCP in it. */
  | { readonly kind: "unread"; readonly reason: string }
  /** The header does not fit into what is there. */
  | { readonly kind: "short"; readonly header: string }

/** Reads one header. `missing` is how many bytes of the packet were not captured. Never throws. */
export type Layer = (bytes: Buffer, missing: number) => Step

export const next = (layer: LayerName, bytes: Buffer): Step => ({ kind: "next", layer, bytes })
export const other = { kind: "other" } as const
export const unread = (reason: string): Step => ({ kind: "unread", reason })
export const short = (header: string): Step => ({ kind: "short", header })
export const malformed = (header: string): Step => unread(`malformed ${header} header`)
export const hexadecimal = (value: number, digits = 4) => `0x${value.toString(16).padStart(digits, "0")}`
