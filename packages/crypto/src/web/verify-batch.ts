import type { SignatureToVerify } from "../batch.js"
import { isVerifiable } from "../checked/edwards.js"
import type { CryptoProvider, SignatureName } from "../provider.js"

export type { SignatureToVerify } from "../batch.js"

/** So many are under way at a time: the page stays alive in between. */
const AT_A_TIME = 200

/**
 * Whether all signatures verify. Ed25519 goes to WebCrypto where the browser has it, which has threads of its own; the
 * rest is done by `provider`, in slices between which the page can breathe.
 *
 * @throws TypeError for a scheme that the provider does not have
 */
export async function verifyBatch(
  provider: CryptoProvider,
  scheme: SignatureName,
  signatures: readonly SignatureToVerify[],
): Promise<boolean> {
  const here = provider.signatures[scheme]
  if (here === undefined) throw new TypeError(`${provider.name} has no ${scheme}`)
  const subtle = scheme === "Ed25519" && (await hasEd25519())
  for (let from = 0; from < signatures.length; from += AT_A_TIME) {
    const slice = signatures.slice(from, from + AT_A_TIME)
    const verdicts = subtle
      ? await Promise.all(slice.map(verifyInWebCrypto))
      : slice.map((it) => here.verify(it.publicKey, it.message, it.signature))
    if (!verdicts.every((valid) => valid)) return false
    if (!subtle) await new Promise((resolve) => setTimeout(resolve))
  }
  return true
}

/** Held to the same strict reading as every provider, so that all members of a group agree. */
async function verifyInWebCrypto({ publicKey, message, signature }: SignatureToVerify): Promise<boolean> {
  if (!isVerifiable("Ed25519", publicKey, signature)) return false
  try {
    const key = await crypto.subtle.importKey("raw", own(publicKey), "Ed25519", false, ["verify"])
    return await crypto.subtle.verify("Ed25519", key, own(signature), own(message))
  } catch {
    return false
  }
}

/** WebCrypto's types refuse memory that could be shared. */
const own = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(bytes)

async function hasEd25519(): Promise<boolean> {
  try {
    // The base point: a valid public key.
    const point = new Uint8Array(32).fill(0x66)
    point[0] = 0x58
    await crypto.subtle.importKey("raw", point, "Ed25519", false, ["verify"])
    return true
  } catch {
    return false
  }
}
