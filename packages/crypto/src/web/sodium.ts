import type { Libsodium } from "libsodium-sumo"
import { wipe } from "../bytes.js"
import { aeadTagSize, checkedAead } from "../checked/aead.js"
import { montgomeryGroup } from "../checked/group.js"
import { gatheredHash } from "../checked/hash.js"
import { edwardsScheme } from "../checked/signature.js"
import type { Aead, Hash, KemGroup, SignatureScheme } from "../provider.js"

export interface SodiumAlgorithms {
  readonly sha256: Hash
  readonly sha512: Hash
  readonly chacha20Poly1305: Aead
  readonly x25519: KemGroup
  readonly ed25519: SignatureScheme
}

/** Loads libsodium and its WebAssembly, which is text of that module: a page that never asks for it never has it. */
export async function loadSodium(): Promise<SodiumAlgorithms> {
  const { default: libsodium } = await import("libsodium-sumo")
  const sodium = await libsodium({
    getRandomValue: () => globalThis.crypto.getRandomValues(new Uint32Array(1))[0]!,
  })
  if (sodium._sodium_init() < 0) throw new Error("libsodium did not initialize")
  return algorithmsOf(sodium)
}

function algorithmsOf(sodium: Libsodium): SodiumAlgorithms {
  const call = caller(sodium)

  return {
    sha256: gatheredHash(32, 64, (message) =>
      call([message], 32, ([at], out) => sodium._crypto_hash_sha256(out, at!, message.length, 0)),
    ),
    sha512: gatheredHash(64, 128, (message) =>
      call([message], 64, ([at], out) => sodium._crypto_hash_sha512(out, at!, message.length, 0)),
    ),

    x25519: montgomeryGroup("X25519", {
      publicKey: (privateKey) => call([privateKey], 32, ([key], out) => sodium._crypto_scalarmult_base(out, key!)),
      multiply: (privateKey, peer) =>
        call([privateKey, peer], 32, ([key, point], out) => sodium._crypto_scalarmult(out, key!, point!)),
    }),

    ed25519: edwardsScheme("Ed25519", {
      importKey(privateKey) {
        const pair = call([privateKey], 96, ([seed], out) => sodium._crypto_sign_seed_keypair(out, out + 32, seed!))
        const [publicKey, secretKey] = [pair.slice(0, 32), pair.slice(32)]
        wipe(pair)
        return {
          publicKey,
          sign: (message) =>
            call([secretKey, message], 64, ([key, at], out) =>
              sodium._crypto_sign_detached(out, 0, at!, message.length, 0, key!),
            ),
          forget: () => wipe(secretKey),
        }
      },
      verify(publicKey, message, signature) {
        call([publicKey, message, signature], 0, ([key, at, proof]) =>
          sodium._crypto_sign_verify_detached(proof!, at!, message.length, 0, key!),
        )
        return true
      },
    }),

    chacha20Poly1305: checkedAead("ChaCha20-Poly1305", {
      seal: (key, nonce, plaintext, additional) =>
        call([key, nonce, plaintext, additional], plaintext.length + aeadTagSize, ([k, n, at, ad], out) =>
          sodium._crypto_aead_chacha20poly1305_ietf_encrypt(
            out,
            0,
            at!,
            plaintext.length,
            0,
            ad!,
            additional.length,
            0,
            0,
            n!,
            k!,
          ),
        ),
      open: (key, nonce, ciphertext, additional) =>
        call([key, nonce, ciphertext, additional], ciphertext.length - aeadTagSize, ([k, n, at, ad], out) =>
          sodium._crypto_aead_chacha20poly1305_ietf_decrypt(
            out,
            0,
            0,
            at!,
            ciphertext.length,
            0,
            ad!,
            additional.length,
            0,
            n!,
            k!,
          ),
        ),
    }),
  }
}

/** Calls of up to this many bytes share memory that is kept; others allocate. */
const keptBytes = 65536

/**
 * Copies inputs into the module's memory, calls a function on their addresses and on that of an output of `size` bytes
 * behind them, copies the output out, and wipes all of it. Throws where the function does not return 0.
 */
function caller(sodium: Libsodium) {
  const kept = sodium._malloc(keptBytes)

  return (
    inputs: readonly Uint8Array[],
    size: number,
    run: (addresses: readonly number[], output: number) => number,
  ): Uint8Array => {
    let length = size
    for (const input of inputs) length += input.length
    const start = length <= keptBytes ? kept : sodium._malloc(length)
    if (start === 0) throw new RangeError(`libsodium has no memory for ${length} bytes`)

    const memory = sodium.HEAPU8
    const addresses: number[] = []
    let next = start
    for (const input of inputs) {
      memory.set(input, next)
      addresses.push(next)
      next += input.length
    }
    try {
      if (run(addresses, next) !== 0) throw new RangeError("libsodium refuses")
      return sodium.HEAPU8.slice(next, next + size)
    } finally {
      sodium.HEAPU8.fill(0, start, start + length)
      if (start !== kept) sodium._free(start)
    }
  }
}
