import assert from "node:assert/strict"
import { test } from "node:test"
import { seeded } from "./support.js"

/** The types of Node have no WebAssembly. */
interface WebAssemblyNamespace {
  instantiate(module: unknown, imports: unknown): Promise<{ instance: { exports: Record<string, unknown> } }>
  readonly Memory: new () => { readonly buffer: ArrayBuffer }
}

test("no secret stays behind in WebAssembly's memory", async () => {
  const memories: { readonly buffer: ArrayBuffer }[] = []
  const { WebAssembly: assembly } = globalThis as unknown as { WebAssembly: WebAssemblyNamespace }
  const { instantiate } = assembly
  assembly.instantiate = async (module, imports) => {
    const instantiated = await instantiate(module, imports)
    memories.push(...Object.values(instantiated.instance.exports).filter((value) => value instanceof assembly.Memory))
    return instantiated
  }
  const { loadSodium } = await import("../src/web/sodium.js")
  const sodium = await loadSodium()
  assembly.instantiate = instantiate

  const [memory] = memories
  const isFound = (needle: Uint8Array) => {
    const pieces = Array.from({ length: needle.length >> 3 }, (_, i) => needle.subarray(8 * i, 8 * i + 8))
    return pieces.some((piece) => Buffer.from(memory!.buffer).includes(Buffer.from(piece)))
  }
  assert.equal(isFound(Buffer.from("LibsodiumDRG")), true, "a text of the library's own is found where it is sought")

  const random = seeded("traces")
  const [x25519Key, ed25519Key, aeadKey, hmacKey] = [random(32), random(32), random(32), random(32)]
  const [short, long] = [random(200), random(200_000)]
  const peer = sodium.x25519.publicKey(random(32))!
  const secrets = [x25519Key, ed25519Key, aeadKey, hmacKey, short, long.subarray(0, 256)]
  sodium.x25519.publicKey(x25519Key)
  secrets.push(sodium.x25519.diffieHellman(x25519Key, peer)!)
  using key = sodium.ed25519.importKey(ed25519Key)
  key.sign(new Uint8Array(10))
  secrets.push(sodium.sha512.digest(ed25519Key))
  for (const plaintext of [short, long]) {
    const ciphertext = sodium.chacha20Poly1305.seal(aeadKey, new Uint8Array(12), plaintext, new Uint8Array(3))
    sodium.chacha20Poly1305.open(aeadKey, new Uint8Array(12), ciphertext, new Uint8Array(3))
    // What was deciphered before the tag was found to be wrong.
    ciphertext[ciphertext.length - 1]! ^= 1
    sodium.chacha20Poly1305.open(aeadKey, new Uint8Array(12), ciphertext, new Uint8Array(3))
  }
  for (const hash of [sodium.sha256, sodium.sha512]) {
    secrets.push(hash.hmac(hmacKey, short))
    secrets.push(...[0x36, 0x5c].map((pad) => hmacKey.map((byte) => byte ^ pad)))
  }
  for (const [index, secret] of secrets.entries()) assert.equal(isFound(secret), false, `secret ${index}`)
})

test("a message longer than the memory that is kept grows the module's memory, and the answer is right", async () => {
  const { loadSodium } = await import("../src/web/sodium.js")
  const { ed25519, chacha20Poly1305 } = await loadSodium()
  const message = new Uint8Array(20_000_000).map((_, i) => i * 7 + (i >> 8))
  using key = ed25519.importKey(seeded("key")(32))
  assert.equal(ed25519.verify(key.publicKey, message, key.sign(message)), true)
  const [secret, nonce, nothing] = [new Uint8Array(32), new Uint8Array(12), new Uint8Array(0)]
  const opened = chacha20Poly1305.open(secret, nonce, chacha20Poly1305.seal(secret, nonce, message, nothing), nothing)
  assert.equal(Buffer.compare(opened!, message), 0)
})

test("a page that asks for curve 25519 alone gets what suites 1 and 3 need, and the same answers", async () => {
  const { browserProvider, webProvider } = await import("../src/web/provider.js")
  const [small, whole] = [await browserProvider({ curves: "25519" }), await webProvider()]
  assert.deepEqual(
    [small.groups, small.signatures, small.aeads, small.hashes].map((it) => Object.keys(it).sort()),
    [["X25519"], ["Ed25519"], ["AES-128-GCM", "AES-256-GCM", "ChaCha20-Poly1305"], ["SHA-256", "SHA-512"]],
  )
  assert.equal(Object.keys(whole.groups).length, 5)
  const message = seeded("message")(100)
  using key = small.signatures.Ed25519!.importKey(seeded("seed")(32))
  using same = whole.signatures.Ed25519!.importKey(seeded("seed")(32))
  assert.deepEqual(key.sign(message), same.sign(message))
  const [nonce, nothing] = [new Uint8Array(12), new Uint8Array(0)]
  for (const name of Object.keys(small.aeads) as (keyof typeof small.aeads)[]) {
    const [one, other] = [small.aeads[name]!, whole.aeads[name]!]
    const secret = seeded("secret")(one.keySize)
    assert.deepEqual(one.seal(secret, nonce, message, nothing), other.seal(secret, nonce, message, nothing))
  }
  for (const name of ["SHA-256", "SHA-512"] as const) {
    assert.deepEqual(small.hashes[name]!.hmac(nonce, message), whole.hashes[name]!.hmac(nonce, message))
  }
})
