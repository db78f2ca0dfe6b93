import { hash } from "node:crypto"
import { gatheredHash } from "../checked/hash.js"
import type { Hash, HashName } from "../provider.js"
import { plain } from "./bytes.js"

export const nodeHashes: Readonly<Record<HashName, Hash>> = {
  "SHA-256": gatheredHash(32, 64, (bytes) => plain(hash("sha256", bytes, "buffer"))),
  "SHA-384": gatheredHash(48, 128, (bytes) => plain(hash("sha384", bytes, "buffer"))),
  "SHA-512": gatheredHash(64, 128, (bytes) => plain(hash("sha512", bytes, "buffer"))),
}
