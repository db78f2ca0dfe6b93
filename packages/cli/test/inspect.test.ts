import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { test } from "node:test"
import { fileURLToPath } from "node:url"
import * as records from "@conclave/client/records"
import { type Codec, decode, encode } from "@conclave/codec"
import { nodeProvider } from "@conclave/crypto/node"
import { cipherSuite, createKeyPackage } from "@conclave/mls"
import { KeyPackage, MLSMessage } from "@conclave/mls/wire"
import { readingsOf } from "../src/inspect/readings.js"
import { recognise } from "../src/inspect/recognise.js"
import { isSecretField, recordTypes, triedTypes, types } from "../src/inspect/types.js"
import { assertReadable, conclave, Folder, runHere } from "./support.js"

const provider = nodeProvider()
const suite = cipherSuite(1, provider)

const named = process.env.CONCLAVE_VECTORS
const vectors = `${named ?? fileURLToPath(new URL("../../../../../shared/vectors/mls", import.meta.url))}/messages.json`
const leftOut = existsSync(vectors) ? undefined : `there is no ${vectors}: set CONCLAVE_VECTORS to the folder of it`
const official = leftOut === undefined || process.env.CONCLAVE_VECTORS_REQUIRED === "1" ? {} : { skip: leftOut }

const recognised = {
  mls_welcome: "MLSMessage",
  mls_group_info: "MLSMessage",
  mls_key_package: "MLSMessage",
  ratchet_tree: "ratchet_tree",
  public_message_application: "MLSMessage",
  public_message_proposal: "MLSMessage",
  public_message_commit: "MLSMessage",
  private_message: "MLSMessage",
} as const

/** The same keys in every run: a key package that is cut can look like a record, by chance. */
function keyPackage(): Uint8Array {
  let count = 0
  const random = (length: number) => {
    const hash = createHash("shake256", { outputLength: length }).update(`${count++}`)
    return new Uint8Array(hash.digest())
  }
  using key = suite.signature.generate(random)
  const now = BigInt(Math.floor(Date.now() / 1000))
  return createKeyPackage({
    suite,
    random,
    signer: { key, credential: { type: "basic", identity: new TextEncoder().encode("alice") } },
    lifetime: { notBefore: now - 60n, notAfter: now + 86_400n },
  }).keyPackage
}

const inspect = (input: Uint8Array | string, ...words: string[]) => runHere(["inspect", "-", ...words], { input })

test("messages of the official vectors are recognised as what they are", official, async () => {
  const all = JSON.parse(readFileSync(vectors, "utf8")) as Record<keyof typeof recognised, string>[]
  assert(all.length > 0)
  for (const vector of all) {
    for (const [field, type] of Object.entries(recognised)) {
      const bytes = Buffer.from(vector[field as keyof typeof recognised], "hex")
      for (const input of [bytes, Buffer.from(bytes.toString("base64"))]) {
        assert.equal(recognise(readingsOf(input), undefined).type, type, field)
      }
    }
  }
  const input = Buffer.from(all[0]!.mls_group_info, "hex")
  const { code, output, errors } = await conclave(["inspect", "-"], { input })
  assert.equal(code, 0, errors)
  assert.match(output.toString(), /\/\/ tree \(RFC 9420 section 12\.4\.3\.1\): valid/)
})

test("bytes, hexadecimal digits and base64 print the same value, from a file and from standard input", async () => {
  using folder = new Folder()
  const message = keyPackage()
  const buffer = Buffer.from(message)
  const file = folder.file("key-package")
  writeFileSync(file, message)
  const printed = await conclave(["inspect", file])
  assert.equal(printed.code, 0, printed.errors)
  const [head, ...value] = printed.output.toString().split("\n")
  assert.equal(head, `// ${file}: MLSMessage, ${message.length} bytes`)
  assert(value.includes("    // signature: valid"), value.join("\n"))
  assert(value.some((line) => line.startsWith("        // expires 2")))
  const wrapped = buffer.toString("hex").replace(/.{64}/g, "$&\n")
  const texts = {
    hex: [wrapped, wrapped.toUpperCase()],
    base64: [buffer.toString("base64"), buffer.toString("base64url")],
  }
  for (const [encoding, inputs] of Object.entries(texts)) {
    for (const input of inputs) {
      const { output } = await inspect(`${input}\n`)
      const [first, ...rest] = output.toString().split("\n")
      assert.equal(first, `// standard input: MLSMessage, ${message.length} bytes, from ${encoding}`)
      assert.deepEqual(rest, value)
    }
  }
})

test("--full shows every byte, and without it lines keep to the width", async () => {
  const message = keyPackage()
  const { wireFormat } = decode(MLSMessage, message)
  assert(wireFormat.type === "mlsKeyPackage")
  const signature = Buffer.from(wireFormat.keyPackage.signature).toString("hex")
  const full = await inspect(message, "--full")
  assert(full.output.toString().replace(/\s/g, "").includes(`opaquesignature<64>=${signature};`))
  const cut = (await inspect(message)).output.toString()
  assert(!cut.includes(signature))
  assert.deepEqual(
    cut.split("\n").filter((line) => line.length > 80),
    [],
  )
})

test("trailing bytes, a truncated input and an unknown version fail with the place of the fault", async () => {
  const message = keyPackage()
  const failures: [Uint8Array, RegExp][] = [
    [Buffer.concat([message, Buffer.of(1, 2, 3)]), new RegExp(`as MLSMessage it fails at byte ${message.length}: 3 `)],
    [
      message.subarray(0, 60),
      /as MLSMessage .* byte \d+, in MLSMessage\.wire_format > .*KeyPackage\.leaf_node > LeafNode\.\w+_key: need 32 bytes, have \d+/,
    ],
    [
      Buffer.concat([Buffer.of(0, 2), message.subarray(2)]),
      /at byte 2, in MLSMessage\.version: unknown ProtocolVersion 2/,
    ],
  ]
  for (const [input, expected] of failures) {
    const { code, output, errors } = await inspect(input)
    assert.equal(code, 1)
    assert.match(errors, expected)
    assert.equal(output.length, 0)
  }
  const forced = await inspect(message, "--as", "GroupInfo")
  assert.equal(forced.code, 1)
  assert.match(forced.errors, /as GroupInfo it fails at byte \d+, in GroupInfo\.\w+/)
})

test("an input that fits several types lists them, and --as decides", async () => {
  const several = await inspect(Buffer.of(0, 0))
  assert.equal(several.code, 0)
  assert.match(
    several.output.toString(),
    /^.*: Commit, 2 bytes\n\/\/ It fits Pins, RevokedDevices, too: choose with --as\.\nCommit = \{/,
  )
  const { code, output } = await inspect(Buffer.of(0, 0), "--as", "Pins")
  assert.equal(code, 0)
  assert.match(
    output.toString(),
    /^.*: Pins, 2 bytes\nPins = \{\n {4}opaque name<0> = "";\n {4}opaque signature_keys<0><V> = \{\};\n\};/,
  )
})

test("--as help lists the types, and so does one that is not known", async () => {
  const help = await runHere(["inspect", "--as", "help"])
  assert.equal(help.code, 0)
  for (const type of Object.keys(types)) assert(help.output.toString().includes(type), type)
  const wrong = await runHere(["inspect", "--as", "KeyPackages", "-"])
  assert.equal(wrong.code, 2)
  assert.match(wrong.errors, /GroupInfo[\s\S]*did you mean KeyPackage\?/)
  assert.equal((await runHere(["inspect"])).code, 2)
})

test("every type that an input is tried as has a codec", () => {
  assert.deepEqual(
    triedTypes.filter((type) => types[type] === undefined),
    [],
  )
  assert(types.KeyPackage === (KeyPackage as Codec<any>))
})

test("records of a profile print without their private keys, in full neither", async () => {
  const secret = new Uint8Array(32).fill(0xa5)
  const profile = encode(records.Profile, {
    version: 2,
    name: "alice",
    suite: 1,
    signaturePrivateKey: secret,
    signaturePublicKey: new Uint8Array(32).fill(1),
    registered: true,
    inboxCursor: 3n,
    nextEvent: 4n,
  })
  const stored = encode(records.StoredKeyPackage, {
    bundle: secret,
    lastResort: false,
    published: true,
    notAfter: 5n,
    keptUntil: undefined,
  })
  const printed = await inspect(profile, "--full")
  assert.match(printed.output.toString(), /^ {4}opaque signature_private_key \(32 bytes, not shown\)$/m)
  assert.match(printed.output.toString(), /^ {4}opaque name<5> = "alice";$/m)
  const bundle = await inspect(stored, "--full", "--as", "StoredKeyPackage")
  assert.match(bundle.output.toString(), /^ {4}opaque bundle \(32 bytes, not shown\)$/m)
  for (const { output } of [printed, bundle]) assert(!output.toString().includes("a5a5"))
})

test("no field of a record that is named after a secret is shown", () => {
  const fields = Object.values(recordTypes).flatMap(({ definition = "" }) => {
    const [, struct = ""] = /(\w+);$/.exec(definition) ?? []
    return [...definition.matchAll(/(\w+)(?:<V>)*;/g)].map(([, field]) => [struct, field!] as const)
  })
  const suspicious = fields.filter(([, field]) => /private|secret|bundle|sealing/.test(field))
  assert(suspicious.length >= 2, String(suspicious))
  assert.deepEqual(
    suspicious.filter(([struct, field]) => !isSecretField(struct, field)),
    [],
  )
})

test("an input without anything in it and a file that is not there are failures", async () => {
  const empty = await inspect("")
  assert.equal(empty.code, 1)
  assert.match(empty.errors, /standard input: there is nothing in it; give an MLS message/)
  assert.equal((await runHere(["inspect", "/nowhere/at-all"])).code, 1)
})

test("a file of another kind is told by what it seems to be, with the command for it", async () => {
  using folder = new Folder()
  const sqlite = (application: string) => {
    const header = Buffer.alloc(4096)
    header.write("SQLite format 3\0")
    header.write(application, 68, "latin1")
    return header
  }
  const files: readonly (readonly [name: string, content: string | Uint8Array, says: RegExp])[] = [
    ["letter", "Dear Bob,\nsee you at noon.\n", /letter: it seems to be text; give an MLS message/],
    ["a.json", '{"type":"message"}', /a\.json: it seems to be text; give an MLS message/],
    [
      "a.pcap",
      Buffer.from(`d4c3b2a1${"00".repeat(60)}`, "hex"),
      /a packet capture; conclave trace \S+a\.pcap reads it$/m,
    ],
    ["two words", Buffer.from(`0a0d0d0a${"00".repeat(60)}`, "hex"), /a packet capture; conclave trace "\S+two words" /],
    ["copy", sqlite("Cncb"), /a backup of a service; conclave restore \S+copy brings/],
    ["service.db", sqlite(""), /the file of a service; conclave admin status --data/],
    ["alice.db", sqlite(""), /an SQLite file; if it is a profile, conclave inspect --profile \S+alice\.db$/m],
    ["a.png", Buffer.from("\x89PNG\r\n\x1a\n and so on", "latin1"), /an image; give an MLS message/],
    ["noise", Buffer.alloc(100, 0x93), /fits no MLS message, tree or record; the closest is (\w+): --as \1 says where/],
  ]
  for (const [name, content, says] of files) {
    writeFileSync(folder.file(name), content)
    const ran = await runHere(["inspect", folder.file(name)])
    assert.equal(ran.code, 1, name)
    assertReadable(ran, says)
    assert.doesNotMatch(ran.errors, /at byte/)
  }
  const profile = await runHere(["inspect", "--profile", folder.file("letter")])
  assertReadable(profile, /letter: this is not a profile: it seems to be text; give the file of a profile$/m)
  const itself = new RegExp(`${folder.path}: it is a folder; give a file, or --profile ${folder.path} if`)
  assertReadable(await runHere(["inspect", folder.path]), itself)
})
