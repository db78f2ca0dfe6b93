import assert from "node:assert/strict"
import { execFileSync, spawnSync } from "node:child_process"
import { createPublicKey } from "node:crypto"
import { createRequire } from "node:module"
import { test } from "node:test"
import { keyImport, keyImports, lastingKeyImport, publicKeyBytes } from "../src/node/keys.js"
import { nodeProvider } from "../src/node/provider.js"
import { agreements } from "./facts/rfc7748.js"
import { rfc8032 } from "./facts/rfc8032.js"
import { bytes, hex, noNative, seeded } from "./support.js"

const entry = new URL("../src/node/provider.js", import.meta.url).href

test("the node provider says by its name what speeds it up", () => {
  let installed = true
  try {
    createRequire(import.meta.url)("sodium-native")
  } catch {
    installed = false
  }
  const sodium = installed ? "node+sodium-native" : "node"
  assert.equal(nodeProvider().name, noNative === undefined ? "node+native" : sodium)
  assert.equal(nodeProvider({ accelerate: true }).name, nodeProvider().name)
  assert.equal(nodeProvider({ accelerate: "native" }).name, noNative === undefined ? "node+native" : "node")
  assert.equal(nodeProvider({ accelerate: "sodium" }).name, sodium)
  assert.equal(nodeProvider({ accelerate: false }).name, "node")
})

test("a provider says why it is not a faster one, and nothing where it is the one that was asked for", () => {
  assert.equal(nodeProvider({ accelerate: false }).fallback, undefined)
  const native = nodeProvider({ accelerate: "native" })
  assert.equal(native.fallback === undefined, native.name === "node+native")
  assert.equal(nodeProvider().fallback, native.fallback)
})

for (const [absent, name] of [
  [["@conclave/native"], "node+sodium-native"],
  [["@conclave/native", "sodium-native"], "node"],
] as const) {
  test(`without ${absent.join(" and ")} the node provider is complete, and says why in one line`, () => {
    const program = `
    import Module from "node:module"
    const load = Module._load
    Module._load = (name, ...rest) => {
      if (${JSON.stringify(absent)}.includes(name)) throw new Error("not here\\nand more")
      return load(name, ...rest)
    }
    const { acceleratedNodeProvider } = await import(${JSON.stringify(entry)})
    const provider = acceleratedNodeProvider()
    const key = provider.signatures.Ed25519.generate(provider.random)
    const signature = key.sign(new Uint8Array(1))
    const verified = provider.signatures.Ed25519.verify(key.publicKey, new Uint8Array(1), signature)
    console.log(provider.name, verified, Object.keys(provider.groups).length, Object.keys(provider.aeads).length)
    console.log(provider.fallback)
  `
    const node = ["--input-type=module", "--eval", program]
    const { stdout, stderr } = spawnSync(process.execPath, node, { encoding: "utf8" })
    assert.equal(stdout, `${name} true 5 3\n@conclave/native does not load: not here\n`)
    assert.equal(stderr, "")
  })
}

test("whichever way a key is imported, it is the same key", () => {
  const facts = [
    ...agreements.map(({ group, alice, alicePublic }) => [group, alice, alicePublic] as const),
    ...rfc8032.map(({ scheme, privateKey, publicKey }) => [scheme, privateKey, publicKey] as const),
  ]
  for (const { privateKey, publicKey } of [keyImport, lastingKeyImport, keyImports.der]) {
    for (const [name, secret, fact] of facts) {
      assert.equal(hex(publicKeyBytes(createPublicKey(privateKey(name, bytes(secret))))), fact)
      assert.equal(hex(publicKeyBytes(publicKey(name, bytes(fact)))), fact)
    }
  }
})

test("making keys in a loop outlives garbage collections", () => {
  // Node 20 can block for ever when a key pair that it generated itself is exported while garbage is collected.
  const program = `
    const { nodeProvider } = await import(${JSON.stringify(entry)})
    const provider = nodeProvider({ accelerate: false })
    for (let round = 0; round < 3000; round++) {
      provider.groups.X25519.publicKey(provider.random(32))
      provider.signatures.Ed25519.importKey(provider.random(32))
      if (round % 50 === 0) gc()
    }
    console.log("done")
  `
  const options = { encoding: "utf8", timeout: 30_000 } as const
  const node = ["--expose-gc", "--input-type=module", "--eval", program]
  assert.equal(execFileSync(process.execPath, node, options), "done\n")
})

test("random bytes are new arrays, and never twice the same", () => {
  const { random } = nodeProvider()
  const drawn = new Set(Array.from({ length: 100 }, () => hex(random(16))))
  assert.equal(drawn.size, 100)
  assert.equal(random(0).length, 0)
  assert.equal(random(100).buffer.byteLength, 100)
  assert.notEqual(hex(seeded("a")(16)), hex(seeded("b")(16)))
})
