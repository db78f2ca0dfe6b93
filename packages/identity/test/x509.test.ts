import "reflect-metadata"
import assert from "node:assert/strict"
import type { webcrypto } from "node:crypto"
import { before, describe, test } from "node:test"
import { nodeProvider } from "@conclave/crypto/node"
import { judgeChain, x509Verdicts } from "@conclave/identity/x509"
import { cipherSuite, createKeyPackage, Group, type Signer } from "@conclave/mls"
import {
  BasicConstraintsExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509"

const suite = cipherSuite(2, nodeProvider()) // P-256: every WebCrypto has it.
const day = 86_400_000
const at = new Date("2026-11-01T00:00:00Z")
const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" }

type CryptoKeyPair = webcrypto.CryptoKeyPair

interface Issuer {
  readonly name: string
  readonly keys: CryptoKeyPair
  readonly certificate: X509Certificate
}
interface Wanted {
  readonly name: string
  readonly keys: CryptoKeyPair
  readonly issuer?: Issuer
  readonly ca?: boolean
  readonly pathLength?: number
  readonly usages?: number
  readonly from?: number
  readonly to?: number
  readonly emails?: readonly string[]
  readonly extra?: readonly Extension[]
}

const keyPair = () => crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]) as Promise<CryptoKeyPair>
const der = (certificate: X509Certificate) => new Uint8Array(certificate.rawData)
const subject = (name: string) => `CN=${name}`

async function issue(wanted: Wanted): Promise<X509Certificate> {
  const { keys, issuer, emails } = wanted
  const usages = wanted.usages ?? (wanted.ca ? KeyUsageFlags.keyCertSign : KeyUsageFlags.digitalSignature)
  const extensions: Extension[] = [new KeyUsagesExtension(usages, true), ...(wanted.extra ?? [])]
  if (wanted.ca) extensions.push(new BasicConstraintsExtension(true, wanted.pathLength, true))
  if (emails) extensions.push(new SubjectAlternativeNameExtension(emails.map((value) => ({ type: "email", value }))))
  return X509CertificateGenerator.create({
    serialNumber: "01",
    subject: subject(wanted.name),
    issuer: subject(issuer?.name ?? wanted.name),
    notBefore: new Date(at.getTime() + (wanted.from ?? -10) * day),
    notAfter: new Date(at.getTime() + (wanted.to ?? 10) * day),
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey: (issuer?.keys ?? keys).privateKey,
    extensions,
  })
}

async function authority(name: string, more: Partial<Wanted> = {}): Promise<Issuer> {
  const keys = await keyPair()
  return { name, keys, certificate: await issue({ name, keys, ca: true, ...more }) }
}

/** A signer of the suite from a WebCrypto key. */
async function signerOf(keys: CryptoKeyPair, chain: readonly X509Certificate[]): Promise<Signer> {
  const { d } = await crypto.subtle.exportKey("jwk", keys.privateKey)
  const key = suite.signature.importKey(new Uint8Array(Buffer.from(d!, "base64url")))
  return { key, credential: { type: "x509", certificates: chain.map((it) => ({ certData: der(it) })) } }
}

let root: Issuer
let middle: Issuer
let alice: CryptoKeyPair
let leaf: X509Certificate
let aliceKey: Uint8Array
before(async () => {
  root = await authority("root")
  middle = await authority("middle", { issuer: root, pathLength: 0 })
  alice = await keyPair()
  leaf = await issue({ name: "alice", keys: alice, issuer: middle, emails: ["alice@example.org"] })
  aliceKey = (await signerOf(alice, [leaf])).key.publicKey
})

const judge = (chain: readonly X509Certificate[], more: Partial<Parameters<typeof judgeChain>[2]> = {}) =>
  judgeChain(chain.map(der), aliceKey, { roots: [der(root.certificate)], at, ...more })

describe("a chain is taken", () => {
  test("that ends below a root", async () => {
    assert.deepEqual(await judge([leaf, middle.certificate]), { valid: true, identities: ["email:alice@example.org"] })
  })
  test("that brings its root along", async () => {
    assert.equal((await judge([leaf, middle.certificate, root.certificate])).valid, true)
  })
})

describe("a chain is refused", () => {
  const refused = (name: string, fault: string, chain: () => Promise<readonly X509Certificate[]>, more = () => ({})) =>
    test(name, async () => assert.deepEqual(await judge(await chain(), more()), { valid: false, fault }))
  const leafWith = (wanted: Partial<Wanted>) =>
    issue({ name: "alice", keys: alice, issuer: middle, emails: ["alice@example.org"], ...wanted })

  refused("without certificates", "too-long", async () => [])
  refused("of more than eight", "too-long", async () => Array(9).fill(leaf))
  refused("for another key", "key-mismatch", async () => [
    await leafWith({ keys: await keyPair() }),
    middle.certificate,
  ])
  refused("before its time", "not-yet-valid", async () => [await leafWith({ from: 1 }), middle.certificate])
  refused("after its time", "expired", async () => [await leafWith({ to: -1 }), middle.certificate])
  refused(
    "from an unknown root",
    "untrusted-root",
    async () => [leaf, middle.certificate],
    () => ({ roots: [] }),
  )
  refused("without its middle", "untrusted-root", async () => [leaf])
  refused("in the wrong order", "key-mismatch", async () => [middle.certificate, leaf])
  refused("issued by another of the same name", "bad-signature", async () => {
    const impostor = await authority("middle", { issuer: root })
    return [await leafWith({ issuer: impostor }), middle.certificate]
  })
  refused("issued under another name", "issuer-mismatch", async () => {
    const other = { ...middle, name: "other" }
    return [await leafWith({ issuer: other }), middle.certificate]
  })
  refused("whose middle is no authority", "not-a-ca", async () => {
    const person = { ...middle, certificate: await issue({ name: "middle", keys: middle.keys, issuer: root }) }
    return [leaf, person.certificate]
  })
  refused("whose middle must not sign certificates", "key-usage", async () => [
    leaf,
    await issue({ name: "middle", keys: middle.keys, issuer: root, ca: true, usages: KeyUsageFlags.cRLSign }),
  ])
  refused("whose leaf must not sign", "key-usage", async () => [
    await leafWith({ usages: KeyUsageFlags.keyAgreement }),
    middle.certificate,
  ])
  refused("longer than an authority allows", "path-too-long", async () => {
    const lower = await authority("lower", { issuer: middle })
    return [await leafWith({ issuer: lower }), lower.certificate, middle.certificate]
  })
  refused("with a critical extension that nobody here knows", "critical-extension", async () => [
    await leafWith({ extra: [new Extension("1.2.3.4", true, new Uint8Array([5, 0]))] }),
    middle.certificate,
  ])
  refused("without a name", "no-identity", async () => [
    await issue({ name: "alice", keys: alice, issuer: middle }),
    middle.certificate,
  ])
  refused(
    "that was revoked",
    "revoked",
    async () => [leaf, middle.certificate],
    () => ({
      isRevoked: async (certificate: Uint8Array) => Buffer.from(certificate).equals(der(middle.certificate)),
    }),
  )

  test("in which any one bit has been turned, or a byte stands behind", async () => {
    const valid = der(leaf)
    const options = { roots: [der(root.certificate)], at }
    for (let position = 0; position < valid.length; position++) {
      const bytes = valid.slice()
      bytes[position]! ^= 1 << (position % 8)
      const judgement = await judgeChain([bytes, der(middle.certificate)], aliceKey, options)
      assert.equal(judgement.valid, false, `bit ${position % 8} of byte ${position}`)
    }
    const longer = new Uint8Array([...valid, 0])
    assert.deepEqual(await judgeChain([longer], aliceKey, options), { valid: false, fault: "malformed" })
  })

  test("in which what is not signed has been turned, wherever it is", async () => {
    const valid = der(leaf)
    const options = { roots: [der(root.certificate)], at }
    for (const position of [0, 1, 2, 3, ...Array.from({ length: 90 }, (_, i) => valid.length - 1 - i)]) {
      for (let bit = 0; bit < 8; bit++) {
        const bytes = valid.slice()
        bytes[position]! ^= 1 << bit
        const judgement = await judgeChain([bytes, der(middle.certificate)], aliceKey, options)
        assert.equal(judgement.valid, false, `bit ${bit} of byte ${position}`)
      }
    }
  })
})

describe("in a group", () => {
  const now = () => BigInt(at.getTime() / 1000)
  const lifetime = { notBefore: now() - 1000n, notAfter: now() + 1000n }
  const options = () => ({ roots: [der(root.certificate)], at })

  async function groupWithBob() {
    const bobKeys = await keyPair()
    const bobLeaf = await issue({ name: "bob", keys: bobKeys, issuer: middle, emails: ["bob@example.org"] })
    const signer = await signerOf(alice, [leaf, middle.certificate])
    const bob = await signerOf(bobKeys, [bobLeaf, middle.certificate])
    const offer = createKeyPackage({ suite, signer: bob, lifetime })
    const group = Group.create({ suite, signer, now, groupId: suite.provider.random(32) })
    const commit = group.commit({ add: [offer.keyPackage] })
    group.apply(commit, await x509Verdicts(commit.claims, options()))
    const join = Group.stageJoin({ suite, signer: bob, now, welcome: commit.welcome!, keyPackages: [offer] })
    return { group, bobs: join.accept(await x509Verdicts(join.claims, options())) }
  }

  test("members with valid chains come together, and a stranger's is not applied", async () => {
    const { group, bobs } = await groupWithBob()
    assert.deepEqual(bobs.epochAuthenticator, group.epochAuthenticator)
    const malloryKeys = await keyPair()
    const selfMade = await issue({ name: "mallory", keys: malloryKeys, ca: true, emails: ["alice@example.org"] })
    const mallory = await signerOf(malloryKeys, [selfMade])
    const commit = group.commit({ add: [createKeyPackage({ suite, signer: mallory, lifetime }).keyPackage] })
    const verdicts = await x509Verdicts(commit.claims, options())
    assert.throws(() => group.apply(commit, verdicts), { rule: "credential-accepted" })
    assert.equal(group.epoch, 1n)
  })

  test("a member may renew its certificate under its own name, and not take another", async () => {
    const { group, bobs } = await groupWithBob()
    const newKeys = await keyPair()
    const renew = async (emails: readonly string[]) => {
      const renewed = await issue({ name: "bob", keys: newKeys, issuer: middle, emails })
      return bobs.commit({ signer: await signerOf(newKeys, [renewed, middle.certificate]) })
    }
    const stolen = await renew(["alice@example.org"])
    bobs.discardPending()
    const received = group.receive(stolen.message)
    assert(received.type === "commit")
    assert.equal((await x509Verdicts(received.staged.claims, options()))[0]!.accepted, false)

    const honest = group.receive((await renew(["bob@example.org"])).message)
    assert(honest.type === "commit")
    group.apply(honest.staged, await x509Verdicts(honest.staged.claims, options()))
    assert.equal(group.epoch, 2n)
  })
})
