import type { PublishKeyPackages } from "@conclave/contracts/delivery"
import type { Sha256 } from "@conclave/contracts/log-chain"
import { equalBytes } from "@conclave/crypto"
import { keyPackageOf } from "./framing.js"
import type { DirectoryEntry } from "./proof.js"
import type { NewKeyPackage } from "./store/store.js"

interface Judging {
  readonly device: DirectoryEntry
  /** Unix time in milliseconds. */
  readonly at: number
  readonly keyPackageSizeMax: number
  readonly sha256: Sha256
}

type Judged =
  | { readonly keyPackages: readonly NewKeyPackage[]; readonly lastResort: NewKeyPackage | undefined }
  | { readonly fault: string }

/** Whether what a device wants to publish is its own, of its suite, and of use to those who will claim it. */
export function judgeKeyPackages(request: PublishKeyPackages, judging: Judging): Judged {
  if (request.cipherSuite !== judging.device.cipherSuite) {
    return { fault: `cipherSuite: the device is registered for cipher suite ${judging.device.cipherSuite}` }
  }
  if (request.replaces && request.lastResort === undefined) {
    return { fault: "lastResort: there is none to replace the one before" }
  }
  const keyPackages: NewKeyPackage[] = []
  for (const [index, bytes] of request.keyPackages.entries()) {
    const judged = judge(bytes, judging)
    if (typeof judged === "string") return { fault: `keyPackages[${index}]: ${judged}` }
    keyPackages.push(judged)
  }
  const lastResort = request.lastResort && judge(request.lastResort, judging)
  return typeof lastResort === "string" ? { fault: `lastResort: ${lastResort}` } : { keyPackages, lastResort }
}

/** Clocks differ, and a package is made before it is published. */
const CLOCK_DIFFERENCE_MAX = 60n * 60n * 1000n

function judge(bytes: Uint8Array, { device, at, keyPackageSizeMax, sha256 }: Judging): NewKeyPackage | string {
  if (bytes.length > keyPackageSizeMax) return `it has more than ${keyPackageSizeMax} bytes`
  const keyPackage = keyPackageOf(bytes)
  if (typeof keyPackage === "string") return keyPackage
  const { cipherSuite, leafNode } = keyPackage
  if (cipherSuite !== device.cipherSuite) return `it is for cipher suite ${cipherSuite}`
  if (!equalBytes(leafNode.signatureKey, device.signatureKey)) return "its signature key is not the device's"
  const source = leafNode.leafNodeSource
  // RFC 9420 §10.1: the leaf of a KeyPackage says that it comes from one.
  if (source.type !== "keyPackage") return `its leaf comes from ${source.type}`
  const notAfter = source.lifetime.notAfter * 1000n
  if (notAfter <= BigInt(at)) return "its lifetime is over"
  if (source.lifetime.notBefore * 1000n > BigInt(at) + CLOCK_DIFFERENCE_MAX) return "its lifetime has not begun"
  return { ref: sha256(bytes), keyPackage: bytes, notAfter: notAfter > NEVER ? NEVER : notAfter }
}

const NEVER = 2n ** 63n - 1n
