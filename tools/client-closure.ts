/**
 * What `npm install @conclave/client` brings, the package itself included: what a browser application runs and nothing
 * else. See docs/decisions/012-browser-closure.md before adding to it.
 */
export const clientClosure: readonly string[] = [
  "@conclave/client",
  "@conclave/codec",
  "@conclave/contracts",
  "@conclave/crypto",
  "@conclave/identity",
  "@conclave/mls",
  "@conclave/transport",
  "@noble/ciphers",
  "@noble/curves",
  "@noble/hashes",
  "libsodium-sumo",
]

export const closureSizeMax = 20
