import assert from "node:assert/strict"
import { test } from "node:test"
import { type CryptoProvider, hpke } from "../src/index.js"
import { nativeAlgorithms } from "../src/node/native.js"
import { nodeProvider } from "../src/node/provider.js"
import { noNative, seeded } from "./support.js"

const skip = noNative ?? false
const suite = { kem: "X25519", kdf: "SHA-256", aead: "AES-128-GCM" } as const

/** A provider that notes what is asked of one of its parts. */
function watched(part: "groups" | "hashes" | "aeads", calls: string[]): CryptoProvider {
  const provider = nodeProvider({ accelerate: "native" })
  const table = Object.entries(provider[part]).map(([name, it]) => [
    name,
    new Proxy(it, {
      get(target, key) {
        calls.push(`${name} ${String(key)}`)
        return Reflect.get(target, key)
      },
    }),
  ])
  return { ...provider, [part]: Object.fromEntries(table) }
}

function sealAndOpen(provider: CryptoProvider, begin: () => void = () => {}): void {
  const random = seeded("one call")
  const scheme = hpke(provider, suite)
  const own = scheme.deriveKeyPair(random(32))
  begin()
  const message = { info: random(3), authenticatedData: random(4) }
  const sealed = scheme.seal(own.publicKey, { ...message, plaintext: random(50), ephemeral: random(32) })
  assert.equal(scheme.open(own.privateKey, { ...message, ...sealed })?.length, 50)
}

test("a message of HPKE is one call, of which the parts see nothing", { skip }, () => {
  const provider = nodeProvider({ accelerate: "native" })
  assert(provider.hpke !== undefined)
  let asked = 0
  const counted: CryptoProvider = {
    ...provider,
    hpke(parts) {
      const own = provider.hpke!(parts)!
      return {
        seal(message) {
          asked++
          return own.seal(message)
        },
        open(message) {
          asked++
          return own.open(message)
        },
      }
    },
  }
  sealAndOpen(counted)
  assert.equal(asked, 2)
})

for (const part of ["groups", "hashes", "aeads"] as const) {
  test(`a provider with ${part} of another's is asked for them as before`, { skip }, () => {
    const calls: string[] = []
    const provider = watched(part, calls)
    sealAndOpen(provider, () => calls.splice(0))
    const names = {
      groups: /X25519 (exchange|diffieHellman)/,
      hashes: /SHA-256 hmac/,
      aeads: /AES-128-GCM (seal|open)/,
    }
    assert(calls.some((call) => names[part].test(call)))
  })
}

test("asking for a suite again and again holds it once", { skip }, () => {
  const native = nativeAlgorithms()
  assert("algorithms" in native)
  const { library } = native.algorithms
  hpke(nodeProvider({ accelerate: "native" }), suite)
  const { held } = library
  for (let i = 0; i < 100; i++) hpke(nodeProvider({ accelerate: "native" }), suite)
  assert.equal(library.held, held)
})
