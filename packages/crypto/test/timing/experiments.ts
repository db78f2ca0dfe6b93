import { equalBytes } from "../../src/bytes.js"
import { nodeProvider } from "../../src/node/provider.js"
import { portableProvider } from "../../src/portable/provider.js"
import type { Aead, CryptoProvider, KemGroupName, SignatureName } from "../../src/provider.js"
import type { Experiment } from "./welch.js"

const node = nodeProvider({ accelerate: false })
const portable = portableProvider()
/** Where it is built. */
const native = [nodeProvider({ accelerate: "native" })].filter(({ name }) => name === "node+native")

/** Comparisons of tags, and what opens or refuses a ciphertext by its tag. */
export function tagExperiments(): Experiment[] {
  const compare = (name: string, leaks: boolean, equal: typeof equalBytes) =>
    nearAndFar({ name, leaks, calls: 200, measurements: 20_000 }, (tag, guess) => (equal(tag, guess) ? 1 : 0))
  const check = (name: string, leaks: boolean, { hashes }: CryptoProvider, equal: typeof equalBytes) => {
    const [key, message] = [new Uint8Array(32).fill(7), new Uint8Array(200)]
    return nearAndFar(
      { name, leaks, calls: 4, measurements: 20_000, tag: hashes["SHA-256"]!.hmac(key, message) },
      (_, guess) => (equal(hashes["SHA-256"]!.hmac(key, message), guess) ? 1 : 0),
    )
  }
  return [
    compare("equalBytes", false, equalBytes),
    compare("control: a comparison that stops at the first difference", true, naiveEqual),
    check("HMAC tag (node)", false, node, equalBytes),
    check("HMAC tag (portable)", false, portable, equalBytes),
    ...native.map((provider) => check("HMAC tag (native)", false, provider, equalBytes)),
    check("control: HMAC tag, hexadecimal digits compared one by one", true, node, slowEqual),
    opening("AES-128-GCM (node)", node.aeads["AES-128-GCM"]!, 10_000),
    opening("ChaCha20-Poly1305 (node)", node.aeads["ChaCha20-Poly1305"]!, 10_000),
    ...native.flatMap(({ aeads }) => [
      opening("AES-128-GCM (native)", aeads["AES-128-GCM"]!, 10_000),
      opening("ChaCha20-Poly1305 (native)", aeads["ChaCha20-Poly1305"]!, 10_000),
    ]),
    opening("AES-128-GCM (portable)", portable.aeads["AES-128-GCM"]!, 4000),
    opening("ChaCha20-Poly1305 (portable)", portable.aeads["ChaCha20-Poly1305"]!, 4000),
  ]
}

/** Multiplications by a secret: one private key against many. JavaScript promises nothing here; this is what is seen. */
export function scalarExperiments(): Experiment[] {
  return [
    ...(["X25519", "P-256"] as const).flatMap((group) => [
      multiplication(`${group} (portable), few bits set`, portable, group, fewBits),
      multiplication(`${group} (portable), one key against many`, portable, group, oneKey),
    ]),
    signing("Ed25519 (portable), one key against many", portable, "Ed25519"),
    ...(["X25519", "P-256"] as const).flatMap((group) => [
      multiplication(`${group} (node), few bits set`, node, group, fewBits),
      multiplication(`${group} (node), one key against many`, node, group, oneKey),
    ]),
    ...native.flatMap((provider) => [
      ...(["X25519", "P-256"] as const).flatMap((group) => [
        multiplication(`${group} (native), few bits set`, provider, group, fewBits),
        multiplication(`${group} (native), one key against many`, provider, group, oneKey),
      ]),
      signing("Ed25519 (native), one key against many", provider, "Ed25519"),
    ]),
    doubleAndAdd(),
  ]
}

// --- Tags ------------------------------------------------------------------------------------------------------------

/** Tags that differ from the right one in the first byte, and such that differ in the last. */
function nearAndFar(
  about: Pick<Experiment, "name" | "leaks" | "calls" | "measurements"> & { readonly tag?: Uint8Array },
  run: (tag: Uint8Array, guess: Uint8Array) => number,
): Experiment {
  const tag = about.tag ?? node.random(32)
  // Both classes are in the same memory when they are measured.
  const guess = tag.slice()
  return {
    ...about,
    prepare(isFirstClass) {
      guess.set(tag)
      guess[isFirstClass ? 0 : tag.length - 1]! ^= 0x55
    },
    run: () => run(tag, guess),
  }
}

/** Forged in the first byte of the tag, or in its last. */
function opening(name: string, aead: Aead, measurements: number): Experiment {
  const [key, nonce] = [node.random(aead.keySize), node.random(aead.nonceSize)]
  const none = new Uint8Array(0)
  const sealed = aead.seal(key, nonce, new Uint8Array(64), none)
  const at = sealed.length - aead.tagSize
  const forged = sealed.slice()
  return {
    name: `${name}, a forged tag`,
    leaks: false,
    calls: 2,
    measurements,
    prepare(isFirstClass) {
      forged.set(sealed)
      forged[isFirstClass ? at : forged.length - 1]! ^= 0x55
    },
    run: () => (aead.open(key, nonce, forged, none) === undefined ? 0 : 1),
  }
}

/** What nobody should write. */
function naiveEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

function slowEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte.toString(16) === b[i]!.toString(16))
}

// --- Scalars ---------------------------------------------------------------------------------------------------------

const keysOfClass = 256

function multiplication(
  name: string,
  { groups }: CryptoProvider,
  groupName: KemGroupName,
  draw: (length: number) => () => Uint8Array,
): Experiment {
  const group = groups[groupName]!
  const peer = group.publicKey(randomKey(group.privateKeySize))!
  return ofKeys({ name, leaks: false, calls: 1, measurements: 600 }, draw(group.privateKeySize), (key) => {
    return group.diffieHellman(key, peer)![0]!
  })
}

function signing(name: string, { signatures }: CryptoProvider, scheme: SignatureName): Experiment {
  const { importKey, privateKeySize } = signatures[scheme]!
  const message = new Uint8Array(100)
  return ofKeys(
    { name, leaks: false, calls: 1, measurements: 600 },
    oneKey(privateKeySize),
    (key) => importKey(key).sign(message)[0]!,
  )
}

/** Keys of a kind against any keys: as many of the one as of the other, so that no cache tells them apart. */
function ofKeys(
  about: Pick<Experiment, "name" | "leaks" | "calls" | "measurements">,
  draw: () => Uint8Array,
  run: (key: Uint8Array) => number,
): Experiment {
  const first = Array.from({ length: keysOfClass }, draw)
  const others = first.map(({ length }) => randomKey(length))
  const key = others[0]!.slice()
  let next = 0
  return {
    ...about,
    prepare(isFirstClass) {
      next = (next + 1) % keysOfClass
      key.set((isFirstClass ? first : others)[next]!)
    },
    run: () => run(key),
  }
}

/** Below the order of every curve. */
const randomKey = (length: number): Uint8Array => {
  const key = node.random(length)
  key[0]! &= 0x7f
  return key
}

const fewBits = (length: number) => (): Uint8Array => {
  const key = new Uint8Array(length)
  for (const at of node.random(3)) key[at % length] = 1
  return key
}

/** The keys of one person: the same one again and again. */
const oneKey = (length: number): (() => Uint8Array) => {
  const key = randomKey(length)
  return () => key
}

/** Square and multiply, as in a textbook: a step more for every bit that is set. */
function doubleAndAdd(): Experiment {
  const modulus = 2n ** 255n - 19n
  const name = "control: an exponentiation with a step more for each bit that is set"
  return ofKeys({ name, leaks: true, calls: 1, measurements: 600 }, fewBits(32), (key) => {
    let power = 1n
    for (const byte of key) {
      for (let bit = 7; bit >= 0; bit--) {
        power = (power * power) % modulus
        if ((byte >> bit) & 1) power = (power * 9n) % modulus
      }
    }
    return Number(power & 0xffn)
  })
}
