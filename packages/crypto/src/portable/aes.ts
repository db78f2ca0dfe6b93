import { gcm } from "@noble/ciphers/aes.js"
import { checkedAead } from "../checked/aead.js"
import type { Aead } from "../provider.js"
import { nobleAead } from "./noble.js"

export const aesGcm: Readonly<Record<"AES-128-GCM" | "AES-256-GCM", Aead>> = {
  "AES-128-GCM": checkedAead("AES-128-GCM", nobleAead(gcm)),
  "AES-256-GCM": checkedAead("AES-256-GCM", nobleAead(gcm)),
}
