import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { nodeProvider } from "@conclave/crypto/node"
import { judgeChain, judgeRoot, x509Verdicts } from "@conclave/identity/x509"
import {
  at,
  authority,
  basicConstraints,
  day,
  dns,
  ecdsa,
  email,
  extension,
  issue,
  keyPairs,
  keyUsage,
  nameConstraints,
  oid,
  type Party,
  rawKey,
  sequence,
  time,
  tlv,
} from "./x509-issuer.js"

const names = [email("alice@example.org")]
const root = authority("root")
const middle = authority("middle", { issuer: root })
const alice = issue({ issuer: middle, names })

type Options = Omit<Parameters<typeof judgeChain>[2], "roots">
const judge = (chain: readonly Party[], roots: readonly Party[], options: Options = { at }) =>
  judgeChain(
    chain.map(({ der }) => der),
    rawKey(chain[0]!),
    { roots: roots.map(({ der }) => der), ...options },
  )
const valid = { valid: true, identities: ["email:alice@example.org"] }
const refused = (fault: string) => ({ valid: false, fault })
const unusable = (index: number, rootFault: string) => ({
  valid: false,
  fault: "unusable-root",
  root: index,
  rootFault,
})

describe("any path to any trusted root is enough", () => {
  const old = authority("old root")
  const crossSigned = authority("root", { issuer: old, keys: root.keys })

  test("a cross-signed chain, for those who trust the new root and for those who trust the old one", async () => {
    const chain = [alice, middle, crossSigned]
    assert.deepEqual(await judge(chain, [root]), valid)
    assert.deepEqual(await judge(chain, [old]), valid)
    assert.deepEqual(await judge(chain, [authority("root")]), refused("untrusted-root"))
  })

  test("whatever stands in the credential above the first certificate that a root verifies", async () => {
    const expired = authority("root", { issuer: old, keys: root.keys, from: -10, to: -1 })
    assert.deepEqual(await judge([alice, middle, expired], [root]), valid)
    assert.deepEqual(await judge([alice, middle, expired, authority("old root")], [root]), valid)
    assert.deepEqual(await judge([alice, middle, expired], [old]), refused("expired"))
  })

  test("every root of the issuer's name is tried, in any order, and an expired or foreign one is no obstacle", async () => {
    const others = [authority("root", { keys: root.keys, to: -1 }), authority("root"), authority("root")]
    assert.deepEqual(await judge([alice, middle], [...others, root]), valid)
    assert.deepEqual(await judge([alice, middle], [root, ...others]), valid)
  })

  test("an authority may have one key under two names", async () => {
    const lower = authority("lower", { issuer: middle, keys: middle.keys })
    const leaf = issue({ issuer: lower, names })
    assert.deepEqual(await judge([leaf, lower, middle], [root]), valid)
  })

  test("an intermediate that is trusted itself ends the path", async () => {
    assert.deepEqual(await judge([alice], [middle]), valid)
    assert.deepEqual(await judge([alice, middle, root], [middle]), valid)
  })

  test("the intermediates come in any order, and one that leads nowhere is passed over", async () => {
    const lower = authority("lower", { issuer: middle })
    const leaf = issue({ issuer: lower, names })
    const stray = authority("middle", { issuer: authority("elsewhere") })
    const limited = authority("lower", { issuer: middle, keys: lower.keys, pathLength: 0, to: -1 })
    assert.deepEqual(await judge([leaf, middle, lower], [root]), valid)
    assert.deepEqual(await judge([leaf, stray, limited, lower, middle], [root]), valid)
    const unusual = authority("middle", { issuer: root, extensions: [extension("1.2.3.4", tlv(5), true)] })
    assert.deepEqual(await judge([alice, unusual, middle], [root]), valid)
  })

  test("an issuer whose names one root excludes is reached through another", async () => {
    const strict = authority("strict", { extensions: [nameConstraints({ excluded: [email("example.org")] })] })
    const byStrict = authority("middle", { issuer: strict, keys: middle.keys })
    assert.deepEqual(await judge([alice, byStrict], [strict]), refused("name-constraints"))
    assert.deepEqual(await judge([alice, byStrict, middle], [strict, root]), valid)
  })

  test("names are compared without regard to letter case and string type (RFC 5280 §7.1)", async () => {
    const leaf = issue({ issuer: { ...middle, name: "MIDDLE " }, names })
    assert.deepEqual(await judge([leaf, middle], [root]), valid)
  })

  test("a path on which a certificate was revoked is passed over for another", async () => {
    const isRevoked = async (certificate: Uint8Array) => Buffer.from(certificate).equals(crossSigned.der)
    assert.deepEqual(await judge([alice, middle, crossSigned], [old], { at, isRevoked }), refused("revoked"))
    assert.deepEqual(await judge([alice, middle, crossSigned], [old, root], { at, isRevoked }), valid)
    const silent = async () => Promise.reject(new Error("no answer"))
    const judgement = await judge([alice, middle], [root], { at, isRevoked: silent })
    assert.deepEqual(judgement, refused("revocation-unknown"))
  })

  test("self-issued certificates do not count for path lengths (RFC 5280 §4.2.1.9)", async () => {
    const short = authority("middle", { issuer: root, pathLength: 0 })
    const renewed = authority("middle", { issuer: short })
    const leaf = issue({ issuer: renewed, names })
    assert.deepEqual(await judge([leaf, renewed, short], [root]), valid)
    const lower = authority("lower", { issuer: renewed })
    const lowest = issue({ issuer: lower, names })
    assert.deepEqual(await judge([lowest, lower, renewed, short], [root]), refused("path-too-long"))
    assert.deepEqual(await judge([leaf, renewed, short], [root], { at, pathLengthMax: 1 }), valid)
    assert.deepEqual(await judge([leaf, renewed, short], [root], { at, pathLengthMax: 0 }), refused("path-too-long"))
  })
})

describe("the search is bounded", () => {
  /** Counts what the provider verifies. */
  function counting() {
    const provider = nodeProvider()
    const scheme = provider.signatures["ECDSA-P-256-SHA-256"]!
    const counted = { count: 0, provider: { signatures: {} } }
    const verify = (...args: Parameters<typeof scheme.verify>) => {
      counted.count++
      return scheme.verify(...args)
    }
    counted.provider.signatures = { "ECDSA-P-256-SHA-256": { ...scheme, verify } }
    return counted
  }

  test("seven issuers of one name that certify each other, in a circle: each signature is verified once", async () => {
    const keys = Array.from({ length: 7 }, () => keyPairs.p256())
    const party = (i: number) => ({ name: "ca", keys: keys[i % 7]!, signature: ecdsa("sha256") })
    const circle = keys.map((key, i) => authority("ca", { keys: key, issuer: party(i + 1) }))
    const counted = counting()
    const leaf = issue({ issuer: circle[0]!, names })
    const judgement = await judge([leaf, ...circle], [], { at, provider: counted.provider })
    assert.equal(judgement.valid, false)
    assert.equal(counted.count, 7 + 6 + 5 + 4 + 3 + 2 + 1)
  })

  test("seven certificates for one name and key lead nowhere, and are not put together in 5,040 ways", async () => {
    const ca = { name: "ca", keys: keyPairs.p256(), signature: ecdsa("sha256") }
    const same = Array.from({ length: 7 }, (_, serial) => authority("ca", { keys: ca.keys, issuer: ca, serial }))
    const counted = counting()
    const judgement = await judge([issue({ issuer: ca, names }), ...same], [], { at, provider: counted.provider })
    assert.deepEqual(judgement, refused("untrusted-root"))
    assert.equal(counted.count, 7)
  })

  test("no signature is verified twice, on however many paths it is", async () => {
    const top = authority("top", { issuer: authority("unknown") })
    const upper = authority("upper", { issuer: top })
    const lower = authority("lower", { issuer: upper })
    const twin = authority("lower", { issuer: upper, keys: lower.keys, serial: 2 })
    const counted = counting()
    const leaf = issue({ issuer: lower, names })
    await judge([leaf, lower, twin, upper, top], [], { at, provider: counted.provider })
    const edges = ["leaf-lower", "leaf-twin", "lower-upper", "twin-upper", "upper-top"]
    assert.equal(counted.count, edges.length)
  })

  test("at most 64 signatures are verified, whatever the chain and the roots", async () => {
    const issuers: Party[] = [authority("ca")]
    for (let i = 0; i < 6; i++) issuers.unshift(authority("ca", { issuer: issuers[0]! }))
    const roots = Array.from({ length: 12 }, () => authority("ca"))
    const counted = counting()
    const leaf = issue({ issuer: issuers[0]!, names })
    const judgement = await judge([leaf, ...issuers], roots, { at, provider: counted.provider })
    assert.deepEqual(judgement, refused("too-complex"))
    assert.equal(counted.count, 64)
  })

  test("at most 256 issuers are tried", async () => {
    const roots = Array.from({ length: 40 }, (_, i) => authority("ca", { to: -1, serial: i }))
    const issuers = [authority("ca"), authority("ca")]
    for (let i = 0; i < 5; i++) issuers.unshift(authority("ca", { issuer: issuers[0]! }))
    const judgement = await judge([issue({ issuer: issuers[0]!, names }), ...issuers], roots)
    assert.deepEqual(judgement, refused("too-complex"))
  })

  test("many names under many constraints cost no more than 65,536 comparisons", async () => {
    const bases = Array.from({ length: 900 }, (_, i) => dns(`a${i}.b`))
    const chain: Party[] = [authority("ca0", { issuer: root, extensions: [nameConstraints({ excluded: bases })] })]
    for (let i = 1; i < 7; i++) {
      const extensions = [nameConstraints({ excluded: bases })]
      chain.unshift(authority(`ca${i}`, { issuer: chain[0]!, extensions }))
    }
    const many = Array.from({ length: 1400 }, (_, i) => dns(`c${i}.d`))
    const leaf = issue({ issuer: chain[0]!, names: many })
    assert.ok(leaf.der.length < 16384)
    assert.deepEqual(await judge([leaf, ...chain], [root]), refused("too-complex"))
  })
})

describe("faults of roots are told apart from faults of chains", () => {
  test("a root that is malformed is named, and spoils no path to another", async () => {
    const broken = { ...root, der: root.der.subarray(1) }
    assert.deepEqual(await judge([alice, middle], [broken, root]), valid)
    assert.deepEqual(await judge([alice, middle], [authority("else"), broken]), unusable(1, "malformed"))
    assert.deepEqual(await judge([{ ...alice, der: alice.der.subarray(1) }], [root]), refused("malformed"))
  })

  test("so is one that has expired, is no authority, or has a critical extension that nobody knows", async () => {
    const again = { keys: root.keys }
    assert.deepEqual(await judge([alice, middle], [authority("root", { ...again, to: -1 })]), unusable(0, "expired"))
    assert.deepEqual(
      await judge([alice, middle], [issue({ ...again, name: "root", extensions: [keyUsage(0)] })]),
      unusable(0, "not-a-ca"),
    )
    const odd = authority("root", { ...again, extensions: [extension("1.2.3.4", tlv(5), true)] })
    assert.deepEqual(await judge([alice, middle], [odd]), unusable(0, "critical-extension"))
  })

  test("what is wrong with a chain below a sound root is the chain's fault", async () => {
    const short = authority("root", { keys: root.keys, pathLength: 0 })
    const lower = authority("lower", { issuer: middle })
    const leaf = issue({ issuer: lower, names })
    assert.deepEqual(await judge([leaf, lower, middle], [short]), refused("path-too-long"))
    assert.deepEqual(await judge([alice, middle], [authority("root")]), refused("bad-signature"))
  })

  test("but a root that is malformed is not what is missing where a path fails for another reason", async () => {
    const broken = { ...root, der: root.der.subarray(1) }
    assert.deepEqual(await judge([alice, middle], [broken, authority("root")]), refused("bad-signature"))
    assert.deepEqual(await judge([alice, middle], [broken, authority("root", { to: -1 })]), unusable(1, "expired"))
  })

  test("a configuration can be checked beforehand", () => {
    assert.equal(judgeRoot(root.der, { at }), undefined)
    assert.equal(judgeRoot(root.der.subarray(1), { at }), "malformed")
    assert.equal(judgeRoot(root.der, { at: new Date(at.getTime() + 20 * day) }), "expired")
    assert.equal(judgeRoot(alice.der, { at }), "not-a-ca")
    assert.equal(judgeRoot(root.der, { at, conforming: true }), "not-conforming")
  })
})

test("certificates and roots may be Node Buffers, slices of a pool included", async () => {
  const pool = Buffer.concat([Buffer.from("before"), alice.der, middle.der, root.der, Buffer.from("after")])
  const offsets = [6, 6 + alice.der.length, 6 + alice.der.length + middle.der.length]
  const [leaf, issuer, anchor] = [alice, middle, root].map(({ der }, i) =>
    pool.subarray(offsets[i]!, offsets[i]! + der.length),
  )
  assert.deepEqual(await judgeChain([leaf!, issuer!], rawKey(alice), { roots: [anchor!], at }), valid)
  const pem = (der: Buffer) => Buffer.from(der.toString("base64"), "base64")
  const options = { roots: [pem(root.der)], at }
  assert.deepEqual(await judgeChain([pem(alice.der), pem(middle.der)], rawKey(alice), options), valid)
})

test("a certificate of more than 16,384 bytes is not read", async () => {
  /** Of about so many bytes: signatures differ by a few. */
  const sized = (bytes: number) =>
    issue({ issuer: middle, names, extensions: [extension("1.2.3.4", Buffer.alloc(bytes))] })
  const overhead = sized(16_000).der.length - 16_000
  const [fitting, large] = [sized(16_384 - 8 - overhead), sized(16_384 + 8 - overhead)]
  assert.deepEqual(await judge([fitting, middle], [root]), valid)
  assert.deepEqual(await judge([large, middle], [root]), refused("too-long"))
})

test("a certificate that is signed and not DER is malformed", async () => {
  const dates = Buffer.concat([time(-10), time(10)])
  const judgeValidity = (validity: Uint8Array) => judge([issue({ issuer: middle, names, validity }), middle], [root])
  assert.deepEqual(await judgeValidity(tlv(0x30, dates)), valid)
  // The same dates, the length of the first in a form that DER rules out (X.690 §10.1).
  const longForm = Buffer.concat([Uint8Array.of(0x17, 0x81), dates.subarray(1)])
  assert.deepEqual(await judgeValidity(tlv(0x30, longForm)), refused("malformed"))
})

describe("key usage", () => {
  test("that is absent restricts nothing (RFC 5280 §4.2.1.3)", async () => {
    const homeRoot = issue({ name: "home", extensions: [basicConstraints()] })
    const homeMiddle = issue({ name: "home 2", issuer: homeRoot, extensions: [basicConstraints(0)] })
    assert.deepEqual(await judge([issue({ issuer: homeMiddle, names }), homeMiddle], [homeRoot]), valid)
  })
  test("that is present does", async () => {
    const encrypts = issue({ issuer: middle, names, extensions: [keyUsage(2)] })
    assert.deepEqual(await judge([encrypts, middle], [root]), refused("key-usage"))
    const lists = issue({ name: "lists", issuer: root, extensions: [basicConstraints(), keyUsage(6)] })
    assert.deepEqual(await judge([issue({ issuer: lists, names }), lists], [root]), refused("key-usage"))
  })
})

test("what RFC 5280 §4 demands of issuers and §6.1 does not check is demanded with `conforming` alone", async () => {
  const keyId = (id: string, tag: number) => extension(id, tag === 4 ? tlv(4, "id") : sequence(tlv(tag, "id")))
  const subjectKey = keyId("2.5.29.14", 4)
  const authorityKey = keyId("2.5.29.35", 0x80)
  const ca = (name: string, issuer: Party | undefined, extensions: readonly Uint8Array[], serial = 1) =>
    authority(name, { ...(issuer && { issuer }), extensions, serial })
  const anchor = ca("anchor", undefined, [subjectKey])
  const sound = ca("ca", anchor, [subjectKey, authorityKey])
  const judgeBoth = async (issuer: Party, extensions: readonly Uint8Array[] = [authorityKey]) => {
    const leaf = issue({ issuer, names, extensions })
    assert.deepEqual(await judge([leaf, issuer], [anchor]), valid)
    const judgement = await judge([leaf, issuer], [anchor], { at, conforming: true })
    return judgement.valid ? "valid" : judgement.fault
  }
  assert.equal(await judgeBoth(sound), "valid")
  assert.equal(await judgeBoth(sound, []), "not-conforming")
  assert.equal(await judgeBoth(sound, [keyId("2.5.29.35", 0x82)]), "not-conforming")
  assert.equal(await judgeBoth(ca("ca", anchor, [authorityKey])), "not-conforming")
  assert.equal(await judgeBoth(ca("ca", anchor, [subjectKey])), "not-conforming")
  assert.equal(await judgeBoth(ca("ca", anchor, [subjectKey, authorityKey], 0)), "not-conforming")
  assert.equal(await judgeBoth(ca("ca", anchor, [subjectKey, authorityKey], 0x80)), "not-conforming")
  const lax = extension("2.5.29.19", sequence(tlv(1, Uint8Array.of(0xff))))
  const notCritical = issue({ name: "ca", issuer: anchor, extensions: [lax, subjectKey, authorityKey] })
  assert.equal(await judgeBoth(notCritical), "not-conforming")
})

describe("a certificate that contradicts itself is refused", () => {
  const oids = (...ids: string[]) => sequence(...ids.map(oid))
  const faults: Readonly<Record<string, readonly [string, readonly Uint8Array[]]>> = {
    "the same extension twice": ["not-conforming", [keyUsage(0), keyUsage(0)]],
    "name constraints without authority": ["not-conforming", [nameConstraints({ permitted: [email("")] })]],
    "keyCertSign without authority": ["not-conforming", [keyUsage(0, 5)]],
    "authority without keyCertSign": ["key-usage", [keyUsage(0), basicConstraints()]],
    "policy constraints, though not critical": ["critical-extension", [extension("2.5.29.36", sequence())]],
    "extended key usages of none": ["malformed", [extension("2.5.29.37", sequence())]],
    "critical extended key usages": ["critical-extension", [extension("2.5.29.37", oids("1.3.6.1.5.5.7.3.2"), true)]],
  }
  for (const [what, [fault, extensions]] of Object.entries(faults)) {
    test(what, async () => {
      assert.deepEqual(await judge([issue({ issuer: middle, names, extensions }), middle], [root]), refused(fault))
    })
  }
  test("no subject, and alternative names that are not critical", async () => {
    const san = extension("2.5.29.17", sequence(...names))
    const judgement = await judge([issue({ name: "", issuer: middle, extensions: [san] }), middle], [root])
    assert.deepEqual(judgement, refused("not-conforming"))
    assert.deepEqual(await judge([issue({ name: "", issuer: middle, names }), middle], [root]), valid)
  })
  test("an issuer without a name", async () => {
    const nameless = authority("", { issuer: root, names: [email("ca@example.org")] })
    const judgement = await judge([issue({ issuer: nameless, names }), nameless], [root])
    assert.deepEqual(judgement, refused("not-conforming"))
  })
  test("times are whole seconds, both ends included", async () => {
    const ends = (offset: number) => ({ at: new Date(at.getTime() + offset) })
    assert.deepEqual(await judge([alice, middle], [root], ends(10 * day + 999)), valid)
    assert.deepEqual(await judge([alice, middle], [root], ends(10 * day + 1000)), refused("expired"))
    assert.deepEqual(await judge([alice, middle], [root], ends(-10 * day)), valid)
    assert.deepEqual(await judge([alice, middle], [root], ends(-10 * day - 1)), refused("not-yet-valid"))
  })
})

test("a credential of another type, and a leaf whose key cannot be read, are refused", async () => {
  const claim = { credential: { type: "basic", identity: new Uint8Array(5) }, signatureKey: rawKey(alice) }
  const [verdict] = await x509Verdicts([claim as never], { roots: [root.der], at })
  assert.deepEqual([verdict?.accepted, verdict?.judgement], [false, refused("malformed")])
  const bits = Buffer.concat([Uint8Array.of(0), rawKey(alice)])
  for (const key of [tlv(4, bits), tlv(5), Buffer.alloc(0)]) {
    const publicKeyInfo = sequence(sequence(oid("1.2.840.10045.2.1"), oid("1.2.840.10045.3.1.7")), key)
    const leaf = { ...issue({ issuer: middle, names, publicKeyInfo }), keys: alice.keys }
    assert.deepEqual(await judge([leaf, middle], [root]), refused("key-mismatch"))
  }
})

test("a member renews its certificate after a change of roots: the old chain need not be valid at any one time", async () => {
  const newRoot = authority("root", { keys: root.keys, from: 5, to: 100 })
  const newMiddle = authority("middle", { issuer: newRoot, keys: middle.keys, from: 5, to: 100 })
  const expired = issue({ issuer: middle, names, to: -1 })
  const renewed = issue({ issuer: newMiddle, names, from: 5, to: 50 })
  const member = (leaf: Party) => ({
    credential: { type: "x509", certificates: [leaf, newMiddle].map(({ der }) => ({ certData: der })) } as const,
    signatureKey: rawKey(leaf),
  })
  const claim = { ...member(renewed), predecessor: member(expired) } as unknown as Parameters<
    typeof x509Verdicts
  >[0][number]
  const later = new Date(at.getTime() + 20 * day)
  const [verdict] = await x509Verdicts([claim], { roots: [newRoot.der], at: later })
  assert.equal(verdict!.accepted, true)
})
