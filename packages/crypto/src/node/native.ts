import { createRequire } from "node:module"
import type * as Native from "@conclave/native"
import { packSignatures, type Spans } from "../batch.js"
import { checkedAead } from "../checked/aead.js"
import type { NistCurveName } from "../checked/curves.js"
import { type GroupLibrary, montgomeryGroup, nistGroup } from "../checked/group.js"
import { ecdsaScheme, edwardsScheme, isVerifiableIn, type SignatureLibrary } from "../checked/signature.js"
import type {
  Aead,
  AeadName,
  CryptoProvider,
  Hash,
  HashName,
  HpkeParts,
  KemGroup,
  SignatureScheme,
} from "../provider.js"

export type NativeLoading = { readonly algorithms: NativeAlgorithms } | { readonly reason: string }

/** What aws-lc does; what it lacks (X448, Ed448) stays with node:crypto. */
export interface NativeAlgorithms extends Required<Pick<CryptoProvider, "random" | "hpke">> {
  readonly hashes: Readonly<Record<HashName, Hash>>
  readonly aeads: Readonly<Record<AeadName, Aead>>
  readonly groups: Readonly<Record<Native.NativeGroup, KemGroup>>
  readonly signatures: Readonly<Record<Native.NativeScheme, SignatureScheme>>
  readonly library: Native.NativeLibrary
}

/** What `@conclave/native` does, or in one line why it does not. Loaded with the first call, and once. */
export function nativeAlgorithms(): NativeLoading {
  loaded ??= load()
  return loaded
}

let loaded: NativeLoading | undefined

function load(): NativeLoading {
  try {
    const native: typeof Native = createRequire(import.meta.url)("@conclave/native")
    const found = native.loadNative()
    return "reason" in found ? found : { algorithms: algorithmsOf(found.library) }
  } catch (error) {
    const { code, message } = error as { code?: unknown; message?: unknown }
    const isAbsent = code === "MODULE_NOT_FOUND" || code === "ERR_MODULE_NOT_FOUND"
    return {
      reason: isAbsent
        ? "@conclave/native is not installed"
        : `@conclave/native does not load: ${String(message).split("\n")[0]}`,
    }
  }
}

export function algorithmsOf(library: Native.NativeLibrary): NativeAlgorithms {
  const hashes = {
    "SHA-256": hash("SHA-256", 32),
    "SHA-384": hash("SHA-384", 48),
    "SHA-512": hash("SHA-512", 64),
  }
  const aeads = {
    "AES-128-GCM": aead("AES-128-GCM"),
    "AES-256-GCM": aead("AES-256-GCM"),
    "ChaCha20-Poly1305": aead("ChaCha20-Poly1305"),
  }
  const groups = {
    X25519: montgomeryGroup("X25519", group("X25519")),
    "P-256": nistGroup("P-256", { ...group("P-256"), isOnCurve: (point) => library.isOnCurve("P-256", point) }),
    "P-384": nistGroup("P-384", { ...group("P-384"), isOnCurve: (point) => library.isOnCurve("P-384", point) }),
    "P-521": nistGroup("P-521", { ...group("P-521"), isOnCurve: (point) => library.isOnCurve("P-521", point) }),
  }
  // What is constant in a suite, whoever asks for it and how often.
  const suites = new Map<string, Native.NativeHpke>()
  return {
    library,
    random: (length) => library.random(length),
    hashes,
    aeads,
    groups,
    signatures: {
      Ed25519: { ...edwardsScheme("Ed25519", signature("Ed25519")), ...together("Ed25519") },
      "ECDSA-P-256-SHA-256": ecdsa("P-256", "ECDSA-P-256-SHA-256"),
      "ECDSA-P-384-SHA-384": ecdsa("P-384", "ECDSA-P-384-SHA-384"),
      "ECDSA-P-521-SHA-512": ecdsa("P-521", "ECDSA-P-521-SHA-512"),
    },

    hpke({ group, kemHash, kdfHash, aead, labels }: HpkeParts) {
      // A part that is another one's, a wrapper's perhaps, is not to be passed by.
      const kem = nameOf(groups, group)
      const [kemHashName, kdf] = [nameOf(hashes, kemHash), nameOf(hashes, kdfHash)]
      const aeadName = nameOf(aeads, aead)
      if (!kem || !kemHashName || !kdf || !aeadName) return undefined
      const key = [kem, kemHashName, kdf, aeadName, ...labels.map((label) => Buffer.from(label).toString("hex"))].join()
      const suite = suites.get(key) ?? library.hpke({ kem, kemHash: kemHashName, kdf, aead: aeadName, labels })
      suites.set(key, suite)
      return suite
    },
  }

  function hash(name: HashName, size: number): Hash {
    return {
      size,
      digest: (...parts) => library.digest(name, parts),
      hmac: (key, ...parts) => library.hmac(name, key, parts),
      digestAll: (spans, count) => library.digestAll(name, spans, count),
      hmacAll: (key, texts, lengths) => library.hmacAll(name, key, texts, lengths),
    }
  }

  function aead(name: AeadName): Aead {
    return checkedAead(name, {
      seal: (key, nonce, plaintext, authenticatedData) => library.seal(name, key, nonce, plaintext, authenticatedData),
      sealTo: (key, nonce, plaintext, authenticatedData, output) =>
        library.sealTo(name, key, nonce, plaintext, authenticatedData, output),
      open: (key, nonce, ciphertext, authenticatedData) =>
        library.open(name, key, nonce, ciphertext, authenticatedData),
    })
  }

  function group(name: Native.NativeGroup): GroupLibrary & Required<Pick<GroupLibrary, "exchange">> {
    return {
      publicKey: (privateKey) => found(library.publicKey(name, privateKey)),
      multiply: (privateKey, peer) => found(library.multiply(name, privateKey, peer)),
      exchange: (privateKey, peer) => found(library.exchange(name, privateKey, peer)),
    }
  }

  function signature(name: Native.NativeScheme): SignatureLibrary {
    return {
      importKey(privateKey) {
        const key = library.importKey(name, privateKey)
        return { publicKey: key.publicKey, sign: (message) => key.sign(message), forget: () => key.destroy() }
      },
      verify: (publicKey, message, signature) => library.verify(name, publicKey, message, signature),
    }
  }

  function ecdsa(curve: NistCurveName, name: Native.NativeScheme): SignatureScheme {
    const scheme = ecdsaScheme(curve, { ...signature(name), isOnCurve: (point) => library.isOnCurve(curve, point) })
    return { ...scheme, ...together(name) }
  }

  function together(name: Native.NativeScheme): Required<Pick<SignatureScheme, "verifyAll" | "beginVerifying">> {
    return {
      verifyAll: (signatures) =>
        signatures.every(({ publicKey, signature }) => isVerifiableIn(name, publicKey, signature)) &&
        library.verifyAll(name, packSignatures(signatures)),

      beginVerifying(spans) {
        const { finish, destroy } = library.beginVerifying(name, spans)
        // While others have begun: what is not verifiable is refused whatever the library says of it.
        const areVerifiable = areVerifiableIn(name, spans)
        return {
          finish() {
            if (areVerifiable) return finish()
            destroy()
            return false
          },
          [Symbol.dispose]: destroy,
        }
      },
    }
  }
}

/** {@link isVerifiableIn} for every row. */
function areVerifiableIn(name: Native.NativeScheme, { memory, beside, rows }: Spans): boolean {
  const piece = (at: number) => {
    const [start, length] = [rows[at]!, rows[at + 1]!]
    const begin = start - memory.length
    return begin < 0 ? memory.subarray(start, start + length) : beside.subarray(begin, begin + length)
  }
  for (let at = 0; at < rows.length; at += 5 + 2 * rows[at + 4]!) {
    if (!isVerifiableIn(name, piece(at), piece(at + 2))) return false
  }
  return true
}

function found<T>(result: T | undefined): T {
  if (result === undefined) throw new RangeError("not a key of the group")
  return result
}

function nameOf<Name extends string>(table: Readonly<Record<Name, object>>, part: object): Name | undefined {
  return (Object.keys(table) as Name[]).find((name) => table[name] === part)
}
