import { chacha20poly1305 } from "@noble/ciphers/chacha.js"
import { checkedAead } from "../checked/aead.js"
import type { Aead, AeadName } from "../provider.js"
import { aesGcm } from "./aes.js"
import { nobleAead } from "./noble.js"

export const portableAeads: Readonly<Record<AeadName, Aead>> = {
  ...aesGcm,
  "ChaCha20-Poly1305": checkedAead("ChaCha20-Poly1305", nobleAead(chacha20poly1305)),
}
