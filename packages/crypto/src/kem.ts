import { ascii, concat, uint16, wipe } from "./bytes.js"
import { expandParts } from "./hkdf.js"
import type { CryptoProvider, Hash, HashName, Kem, KemGroup, KemGroupName } from "./provider.js"

/**
 * The KEM of a name: the provider's own, or DHKEM (RFC 9180 §4.1) over one of its groups.
 *
 * @throws TypeError where the provider has neither, or lacks DHKEM's hash.
 */
export function kem(provider: CryptoProvider, name: string): Kem {
  const own = provider.kems?.[name]
  if (own) return own
  if (!isGroup(name)) throw new TypeError(`provider ${provider.name} has no ${name}`)
  return dhKem(provider, name)
}

/** Whether a provider has a KEM: its own, or a group that DHKEM works over. */
export function hasKem({ kems, groups }: CryptoProvider, name: string): boolean {
  return kems?.[name] !== undefined || (isGroup(name) && groups[name] !== undefined)
}

/** What is constant in DHKEM over a group: its hash, and what stands before the inputs, in the order of their use. */
export function dhKemConstants(
  { hashes, groups, kems }: CryptoProvider,
  name: string,
): { readonly group: KemGroup; readonly hash: Hash; readonly labels: readonly Uint8Array[] } | undefined {
  if (kems?.[name] || !isGroup(name)) return undefined
  const { id, hash: hashName, mask } = parameters[name]
  const [group, hash] = [groups[name], hashes[hashName]]
  if (!group || !hash) return undefined
  const { keyPair, privateKey, candidate, extract, sharedSecret } = labelsOf(id, hash, group)
  return { group, hash, labels: [keyPair, mask === undefined ? privateKey : candidate, extract, sharedSecret] }
}

const isGroup = (name: string): name is KemGroupName => Object.hasOwn(parameters, name)

// RFC 9180 §7.1. `mask` clears the bits of a candidate scalar's first byte that no scalar has; Montgomery curves need
// no search, since every string of their length is a scalar.
const parameters: Record<KemGroupName, { id: number; hash: HashName; mask?: number }> = {
  "P-256": { id: 0x0010, hash: "SHA-256", mask: 0xff },
  "P-384": { id: 0x0011, hash: "SHA-384", mask: 0xff },
  "P-521": { id: 0x0012, hash: "SHA-512", mask: 0x01 },
  X25519: { id: 0x0020, hash: "SHA-256" },
  X448: { id: 0x0021, hash: "SHA-512" },
}

function dhKem(provider: CryptoProvider, name: KemGroupName): Kem {
  const { id, hash: hashName, mask } = parameters[name]
  const group = provider.groups[name]
  const hash = provider.hashes[hashName]
  if (!group) throw new TypeError(`provider ${provider.name} has no ${name}`)
  if (!hash) throw new TypeError(`provider ${provider.name} has no ${hashName}`)
  const labels = labelsOf(id, hash, group)
  const one = (privateKey: Uint8Array) => group.publicKey(privateKey)
  const both = (privateKey: Uint8Array, peer: Uint8Array) =>
    group.exchange ? group.exchange(privateKey, peer) : exchange(group, privateKey, peer)

  return {
    id,
    secretSize: hash.size,
    encSize: group.publicKeySize,
    publicKeySize: group.publicKeySize,
    privateKeySize: group.privateKeySize,
    ephemeralSize: group.privateKeySize,
    isPublicKey: (bytes) => group.isPublicKey(bytes),
    publicKey,

    deriveKeyPair(inputKeyMaterial) {
      const [privateKey, publicKey] = derive(inputKeyMaterial, one)
      return { privateKey, publicKey }
    },

    encapsulate(publicKey, ephemeral) {
      if (ephemeral.length !== group.privateKeySize) {
        throw new RangeError(`${name} needs ${group.privateKeySize} bytes of randomness, not ${ephemeral.length}`)
      }
      const [privateKey, result] = derive(ephemeral, (candidate) => {
        const result = both(candidate, publicKey)
        if (!result && !group.isPublicKey(publicKey)) throw new RangeError(`not a public key of ${name}`)
        return result
      })
      wipe(privateKey)
      const kemOutput = result.publicKey
      return { kemOutput, sharedSecret: extractAndExpand(result.sharedSecret, kemOutput, publicKey) }
    },

    decapsulate(privateKey, kemOutput, ownPublicKey) {
      if (ownPublicKey) {
        const secret = group.diffieHellman(privateKey, kemOutput)
        if (secret) return extractAndExpand(secret, kemOutput, ownPublicKey)
      } else {
        const result = both(privateKey, kemOutput)
        if (result) return extractAndExpand(result.sharedSecret, kemOutput, result.publicKey)
      }
      publicKey(privateKey)
      return undefined
    },
  }

  function publicKey(privateKey: Uint8Array): Uint8Array {
    const publicKey = group!.publicKey(privateKey)
    if (!publicKey) throw new RangeError(`not a private key of ${name}`)
    return publicKey
  }

  /** RFC 9180 §7.1.3: the first candidate that is a private key, and what `use` makes of it. */
  function derive<T>(inputKeyMaterial: Uint8Array, use: (privateKey: Uint8Array) => T | undefined): [Uint8Array, T] {
    const size = group!.privateKeySize
    const pseudorandomKey = hash!.hmac(empty, labels.keyPair, inputKeyMaterial)
    try {
      for (let counter = 0; counter < (mask === undefined ? 1 : 256); counter++) {
        const privateKey =
          mask === undefined
            ? expandParts(hash!, pseudorandomKey, size, labels.privateKey)
            : expandParts(hash!, pseudorandomKey, size, labels.candidate, Uint8Array.of(counter))
        if (mask !== undefined) privateKey[0]! &= mask
        const result = use(privateKey)
        if (result) return [privateKey, result]
        wipe(privateKey)
      }
    } finally {
      wipe(pseudorandomKey)
    }
    throw new RangeError(`no private key of ${name} follows from the input key material`)
  }

  function extractAndExpand(secret: Uint8Array, kemOutput: Uint8Array, publicKey: Uint8Array): Uint8Array {
    const pseudorandomKey = hash!.hmac(empty, labels.extract, secret)
    const shared = expandParts(hash!, pseudorandomKey, hash!.size, labels.sharedSecret, kemOutput, publicKey)
    wipe(secret, pseudorandomKey)
    return shared
  }
}

function exchange(group: KemGroup, privateKey: Uint8Array, peer: Uint8Array) {
  const publicKey = group.publicKey(privateKey)
  const sharedSecret = publicKey && group.diffieHellman(privateKey, peer)
  return sharedSecret && { publicKey, sharedSecret }
}

/** RFC 9180 §4: what stands in front of the inputs of LabeledExtract and LabeledExpand. */
function labelsOf(id: number, hash: Hash, group: KemGroup) {
  const label = (text: string) => concat(ascii("HPKE-v1"), ascii("KEM"), uint16(id), ascii(text))
  return {
    keyPair: label("dkp_prk"),
    privateKey: concat(uint16(group.privateKeySize), label("sk")),
    candidate: concat(uint16(group.privateKeySize), label("candidate")),
    extract: label("eae_prk"),
    sharedSecret: concat(uint16(hash.size), label("shared_secret")),
  }
}

const empty = new Uint8Array(0)
