import { p256, p384, p521 } from "@noble/curves/nist.js"
import { concat } from "../../src/bytes.js"
import { type CryptoProvider, hkdfExpand, hkdfExtract, hpke, type KemGroupName } from "../../src/index.js"
import { derSignature, type Oddities } from "../der.js"
import { aeadNames, ecdsaNames, groupNames, hashNames, hex, providers } from "../support.js"
import type { Dice } from "./dice.js"
import { edwardsCase } from "./edwards.js"
import { montgomeryPeer, nistPeer, nistScalar, numberBytes } from "./points.js"

/** One case: what of a provider is asked, and how it answers. */
export interface Asked {
  of(provider: CryptoProvider): object | undefined
  ask(provider: CryptoProvider): unknown
  readonly described: string
}

const curves = { "P-256": p256, "P-384": p384, "P-521": p521 }
const curveOf = {
  "ECDSA-P-256-SHA-256": "P-256",
  "ECDSA-P-384-SHA-384": "P-384",
  "ECDSA-P-521-SHA-512": "P-521",
} as const
const fastest = providers[0]!

function show(...parts: readonly unknown[]): string {
  return parts.map((part) => (part instanceof Uint8Array ? hex(part) : String(part))).join(" ")
}

export const targets: Readonly<Record<string, (dice: Dice) => Asked>> = {
  hash(dice) {
    const name = dice.pick(hashNames)
    const key = dice.text()
    const parts = Array.from({ length: dice.below(5) }, () => dice.text())
    return {
      of: ({ hashes }) => hashes[name],
      ask: ({ hashes }) => [hashes[name]!.digest(...parts), hashes[name]!.hmac(key, ...parts)],
      described: show(name, key, ...parts),
    }
  },

  hkdf(dice) {
    const name = dice.pick(hashNames)
    const [salt, material, info] = [dice.text(), dice.text(), dice.text()]
    const length = dice.pick([0, 1, 32, 48, 64, 65, 1000, 255 * 32, 255 * 64, 255 * 64 + 1, -1, 0.5])
    return {
      of: ({ hashes }) => hashes[name],
      ask: ({ hashes }) => hkdfExpand(hashes[name]!, hkdfExtract(hashes[name]!, salt, material), info, length),
      described: show(name, salt, material, info, length),
    }
  },

  seal(dice) {
    const name = dice.pick(aeadNames)
    const { keySize } = fastest.aeads[name]!
    const [key, nonce] = [dice.around(keySize), dice.around(12)]
    const [plaintext, data] = [dice.text(), dice.text()]
    return {
      of: ({ aeads }) => aeads[name],
      ask: ({ aeads }) => aeads[name]!.seal(key, nonce, plaintext, data),
      described: show(name, key, nonce, plaintext, data),
    }
  },

  open(dice) {
    const name = dice.pick(aeadNames)
    const aead = fastest.aeads[name]!
    const [key, nonce, data] = [dice.bytes(aead.keySize), dice.bytes(12), dice.text()]
    const ciphertext = dice.mutated(aead.seal(key, nonce, dice.text(), data))
    const otherData = dice.isOne(4) ? dice.mutated(data) : data
    const otherKey = dice.isOne(8) ? dice.mutated(key) : key
    return {
      of: ({ aeads }) => aeads[name],
      ask: ({ aeads }) => aeads[name]!.open(otherKey, nonce, ciphertext, otherData),
      described: show(name, otherKey, nonce, ciphertext, otherData),
    }
  },

  agreement(dice) {
    const name = dice.pick([...groupNames, "X25519", "X25519", "P-256"] as const)
    const [privateKey, peer] = [scalarOf(dice, name), peerOf(dice, name)]
    return {
      of: ({ groups }) => groups[name],
      ask({ groups }) {
        const it = groups[name]!
        const both = it.exchange!(privateKey, peer)
        return [
          it.publicKey(privateKey),
          it.diffieHellman(privateKey, peer),
          both?.publicKey,
          both?.sharedSecret,
          it.isPublicKey(peer),
        ]
      },
      described: show(name, privateKey, peer),
    }
  },

  edwards(dice) {
    const name = dice.pick(["Ed25519", "Ed25519", "Ed448"] as const)
    const { publicKey, message, signature } = edwardsCase(dice, name)
    return {
      of: ({ signatures }) => signatures[name],
      ask: ({ signatures }) => [
        signatures[name]!.verify(publicKey, message, signature),
        signatures[name]!.isPublicKey(publicKey),
      ],
      described: show(name, publicKey, message, signature),
    }
  },

  ecdsa(dice) {
    const name = dice.pick([...ecdsaNames, "ECDSA-P-256-SHA-256", "ECDSA-P-256-SHA-256"] as const)
    const curve = curves[curveOf[name]]
    const { ORDER: order } = curve.Point.Fn
    const message = dice.text()
    using key = fastest.signatures[name]!.importKey(validScalar(dice, curveOf[name]))
    const made = key.sign(message)
    const { r, s } = curve.Signature.fromBytes(made, "der")
    const odd = [0n, 1n, order - 1n, order, order + 1n, 2n * order, 1n << 256n, -1n, -s, r + order, s + order]
    const kind = dice.below(8)
    const signature =
      kind === 0
        ? made
        : kind === 1
          ? derSignature(r, order - s)
          : kind === 2
            ? dice.mutated(made)
            : kind === 3
              ? derSignature(dice.pick([r, ...odd]), dice.pick([s, ...odd]))
              : kind === 4
                ? concat(numberBytes(r, curve.Point.Fn.BYTES), numberBytes(s, curve.Point.Fn.BYTES))
                : derSignature(r, dice.pick([s, order - s]), oddities(dice))
    const publicKey = dice.isOne(4) ? nistPeer(dice, curveOf[name]) : key.publicKey
    return {
      of: ({ signatures }) => signatures[name],
      ask: ({ signatures }) => [
        signatures[name]!.verify(publicKey, message, signature),
        signatures[name]!.isPublicKey(publicKey),
      ],
      described: show(name, publicKey, message, signature),
    }
  },

  /** What a key signs, every provider verifies; what has no randomness is the same. */
  signing(dice) {
    const name = dice.pick(["Ed25519", "Ed448", ...ecdsaNames] as const)
    const scheme = fastest.signatures[name]!
    const privateKey =
      name === "Ed25519" || name === "Ed448" ? dice.around(scheme.privateKeySize) : nistScalar(dice, curveOf[name])
    const message = dice.text()
    return {
      of: ({ signatures }) => signatures[name],
      ask({ signatures }) {
        using key = signatures[name]!.importKey(privateKey)
        const signature = key.sign(message)
        const isVerified = scheme.verify(key.publicKey, message, signature)
        return [key.publicKey, isVerified, ...(name.startsWith("Ed") ? [signature] : [])]
      },
      described: show(name, privateKey, message),
    }
  },

  hpkeSeal(dice) {
    const { suite, own, message } = hpkeCase(dice)
    const peer = peerOf(dice, suite.kem)
    const publicKey = dice.isOne(3) ? peer : own.publicKey
    const isPrepared = dice.isOne(2)
    return {
      of: (provider) => (supports(provider, suite) ? provider : undefined),
      ask(provider) {
        const scheme = hpke(provider, suite)
        const info = isPrepared ? scheme.prepareInfo(message.info) : message.info
        const sealed = scheme.seal(publicKey, { ...message, info })
        return [sealed.kemOutput, sealed.ciphertext]
      },
      described: show(JSON.stringify(suite), publicKey, ...Object.values(message)),
    }
  },

  hpkeOpen(dice) {
    const { suite, own, message } = hpkeCase(dice)
    const ephemeral = dice.bytes(own.privateKey.length)
    const sealed = hpke(fastest, suite).seal(own.publicKey, { ...message, ephemeral })
    const peer = peerOf(dice, suite.kem)
    const kemOutput = dice.isOne(4) ? peer : sealed.kemOutput
    const ciphertext = dice.isOne(3) ? dice.mutated(sealed.ciphertext) : sealed.ciphertext
    const privateKey = dice.isOne(5) ? scalarOf(dice, suite.kem) : own.privateKey
    const publicKey = dice.isOne(2) ? own.publicKey : undefined
    const opening = { ...message, kemOutput, ciphertext, publicKey }
    return {
      of: (provider) => (supports(provider, suite) ? provider : undefined),
      ask: (provider) => hpke(provider, suite).open(privateKey, opening),
      described: show(JSON.stringify(suite), privateKey, publicKey, kemOutput, ciphertext, message.info),
    }
  },
}

function peerOf(dice: Dice, name: KemGroupName): Uint8Array {
  return name === "X25519" || name === "X448" ? montgomeryPeer(dice, name) : nistPeer(dice, name)
}

function scalarOf(dice: Dice, name: KemGroupName): Uint8Array {
  if (name === "X25519" || name === "X448") return dice.around(fastest.groups[name]!.privateKeySize)
  return nistScalar(dice, name)
}

function hpkeCase(dice: Dice) {
  const suite = {
    kem: dice.pick([...groupNames, "X25519", "P-256"] as const),
    kdf: dice.pick(hashNames),
    aead: dice.pick(aeadNames),
  }
  const scheme = hpke(fastest, suite)
  const size = scheme.kem.ephemeralSize
  const ephemeral = dice.isOne(12) ? dice.bytes(dice.pick([0, size - 1, size + 1])) : dice.bytes(size)
  const message = { info: dice.text(), authenticatedData: dice.text(), plaintext: dice.text(), ephemeral }
  return { suite, own: scheme.deriveKeyPair(dice.bytes(size)), message }
}

function supports(
  { groups, aeads }: CryptoProvider,
  suite: { kem: (typeof groupNames)[number]; aead: (typeof aeadNames)[number] },
) {
  return groups[suite.kem] !== undefined && aeads[suite.aead] !== undefined
}

function validScalar(dice: Dice, name: "P-256" | "P-384" | "P-521"): Uint8Array {
  const { ORDER, BYTES } = curves[name].Point.Fn
  return numberBytes((BigInt(`0x${hex(dice.bytes(BYTES + 8))}`) % (ORDER - 1n)) + 1n, BYTES)
}

function oddities(dice: Dice): Oddities {
  return dice.pick<Oddities>([
    {},
    { zerosBeforeR: 1 },
    { zerosBeforeS: 1 },
    { zerosBeforeR: 100 },
    { lengthOfR: "long" },
    { lengthOfR: "longest" },
    { sequence: "indefinite" },
    { behindS: [0] },
    { behindS: [2, 1, 1] },
    { tagOfR: 4 },
    { tag: 0x31 },
  ])
}
