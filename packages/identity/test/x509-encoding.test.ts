import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { judgeRoot, revocationLists } from "@conclave/identity/x509"
import { Certificate } from "../src/x509/certificate.js"
import { readNameConstraints } from "../src/x509/constraints.js"
import { children, element, isDer, isMinimalInteger, sameBytes, single } from "../src/x509/der.js"
import { faultOf } from "../src/x509/faults.js"
import { isCertificateFraming, isEcdsaSignature } from "../src/x509/framing.js"
import { readGeneralNames, readName } from "../src/x509/names.js"
import {
  at,
  authority,
  crlNumber,
  directory,
  distinguishedName,
  dns,
  ecdsa,
  eddsa,
  email,
  extension,
  ip,
  issue,
  keyPairs,
  oid,
  sequence,
  time,
  tlv,
} from "./x509-issuer.js"

/*
 * Everything that is read of a certificate or list has one encoding. Here a part of a sound one is replaced, and nothing
 * is signed: an issuer may sign what it likes.
 */

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"))
const integer = (...bytes: number[]) => tlv(2, Uint8Array.from(bytes))
const malformed = { fault: "malformed" }

describe("an element of DER", () => {
  test("has one byte of tag, and a definite length in the fewest bytes, at most three", () => {
    const zeros = (length: number) => new Uint8Array(length)
    const refused: Readonly<Record<string, Uint8Array>> = {
      nothing: hex(""),
      "a tag alone": hex("30"),
      "a tag of two bytes": hex("1f 01 00"),
      "an indefinite length": Buffer.concat([hex("04 80"), zeros(130)]),
      "127 in two bytes": Buffer.concat([hex("04 81 7f"), zeros(127)]),
      "255 in three bytes": Buffer.concat([hex("04 82 00 ff"), zeros(255)]),
      "a length of four bytes": Buffer.concat([hex("04 84 01000000"), zeros(2 ** 24)]),
      "more than there is": hex("04 02 01"),
    }
    for (const [what, bytes] of Object.entries(refused)) assert.equal(element(bytes, 0), undefined, what)
    assert.deepEqual(element(hex("04 00"), 0), { tag: 4, from: 0, start: 2, end: 2 })
    assert.equal(element(Buffer.concat([hex("04 81 80"), zeros(128)]), 0)?.end, 131)
    assert.equal(element(hex("04 01 00"), 0, 2), undefined, "beyond the limit")
  })

  test("contains elements to the last byte, at most 24 deep, and nothing stands behind it", () => {
    const nested = (depth: number): Uint8Array => (depth === 0 ? hex("05 00") : sequence(nested(depth - 1)))
    assert.equal(isDer(nested(24)), true)
    for (const bytes of [nested(25), hex("30 02 04 05"), hex("30 01 04"), hex("30 04 30 02 04 05"), hex("05 00 00")]) {
      assert.equal(isDer(bytes), false)
    }
    assert.throws(() => children(hex("30 02 04 05"), element(hex("30 02 04 05"), 0)!), malformed)
    for (const bytes of [hex("31 00"), hex("30 00 00"), hex("")]) assert.throws(() => single(bytes, 0x30), malformed)
  })

  test("that is a number has no superfluous first byte", () => {
    for (const minimal of ["00", "7f", "00 80", "80", "ff 7f"]) assert.equal(isMinimalInteger(hex(minimal)), true)
    for (const other of ["", "00 7f", "00 00", "ff 80"]) assert.equal(isMinimalInteger(hex(other)), false, other)
  })

  test("is the same as another only to the end", () => {
    assert.equal(sameBytes(hex("01 02"), hex("01 02")), true)
    for (const other of ["01", "01 02 03", "01 03"]) assert.equal(sameBytes(hex("01 02"), hex(other)), false)
    assert.equal(sameBytes(hex("01"), hex("01 02")), false)
  })
})

// --- Certificates ----------------------------------------------------------------------------------------------------

const sha256Ecdsa = ecdsa("sha256").algorithm
const spki = keyPairs.p256().publicKey.export({ type: "spki", format: "der" })
const r = integer(1)
const bits = (bytes: Uint8Array, unused = 0) => tlv(3, Uint8Array.of(unused), bytes)
const signature = bits(sequence(r, r))

const fields = {
  version: tlv(0xa0, integer(2)),
  serial: integer(1),
  algorithm: sha256Ecdsa,
  issuer: distinguishedName("CN=root"),
  validity: sequence(time(-10), time(10)),
  subject: distinguishedName("CN=root"),
  key: spki as Uint8Array,
  extensions: tlv(0xa3, sequence(extension("1.2.3.4", hex("05 00")))),
}
type Fields = Partial<Record<keyof typeof fields, Uint8Array>>
const tbsOf = (replaced: Fields) => sequence(...Object.values({ ...fields, ...replaced }))
/** Of the fields, some replaced; several elements or none may stand for one. */
const certificate = (replaced: Fields = {}) =>
  sequence(tbsOf(replaced), replaced.algorithm ?? fields.algorithm, signature)
const faultWith = (replaced: Fields) => faultOf(() => new Certificate(certificate(replaced)))

describe("what is around the signed part of a certificate", () => {
  test("has one form", () => {
    assert.equal(isCertificateFraming(certificate()), true)
    const tbs = tbsOf({})
    const content = Buffer.concat([tbs, sha256Ecdsa, signature])
    const ed25519 = eddsa("Ed25519").algorithm
    const rsaTbs = tbsOf({ algorithm: sequence(oid("1.2.840.113549.1.1.11")) })
    const inSet = tlv(0x31, oid("1.3.101.112"))
    const refused: Readonly<Record<string, Uint8Array>> = {
      "nothing in it": sequence(),
      "a set": tlv(0x31, content),
      "a byte behind": Buffer.concat([sequence(content), hex("00")]),
      "a signed part that is a set": sequence(tlv(0x31, ...Object.values(fields)), sha256Ecdsa, signature),
      "an algorithm that is no sequence": sequence(tbsOf({ algorithm: inSet }), inSet, signature),
      "no signature": sequence(tbs, sha256Ecdsa),
      "a signature in an octet string": sequence(tbs, sha256Ecdsa, tlv(4, signature.subarray(2))),
      "a signature with unused bits": sequence(tbs, sha256Ecdsa, bits(sequence(r, r), 1)),
      "an element after the signature": sequence(tbsOf({ algorithm: ed25519 }), ed25519, bits(r), hex("05 00")),
      "another algorithm than the signed one": sequence(rsaTbs, sha256Ecdsa, signature),
      "an ECDSA signature that is no pair": sequence(tbs, sha256Ecdsa, bits(r)),
      "no version": certificate({ version: hex("") }),
      "a version that is not wrapped": certificate({ version: integer(2) }),
      "a serial number that is no number": certificate({ serial: tlv(4, "1") }),
      "something that is not DER within": certificate({ subject: hex("30 02 31 05") }),
    }
    for (const [what, bytes] of Object.entries(refused)) assert.equal(isCertificateFraming(bytes), false, what)
  })

  test("holds an ECDSA signature of two positive numbers in the fewest bytes", () => {
    assert.equal(isEcdsaSignature(sequence(r, integer(0, 0x80))), true)
    const refused: Readonly<Record<string, Uint8Array>> = {
      nothing: hex(""),
      "a set": tlv(0x31, r, r),
      "one number": sequence(r),
      "the second number outside": Buffer.concat([sequence(r), r]),
      "three numbers": sequence(r, r, r),
      "a byte behind": Buffer.concat([sequence(r, r), hex("00")]),
      "no number": sequence(tlv(4, "1"), r),
      "an empty number": sequence(integer(), r),
      zero: sequence(r, integer(0)),
      "a negative number": sequence(integer(0x80), r),
      "a superfluous zero": sequence(r, integer(0, 0x7f)),
    }
    for (const [what, bytes] of Object.entries(refused)) assert.equal(isEcdsaSignature(bytes), false, what)
  })
})

describe("a certificate is malformed", () => {
  const optional = (...parts: Uint8Array[]) => ({ extensions: Buffer.concat(parts) })
  const withExtension = (...parts: Uint8Array[]) => optional(tlv(0xa3, sequence(sequence(...parts))))
  const [id, value] = [oid("1.2.3.4"), tlv(4, "")]
  const rdn = (...parts: Uint8Array[]) => ({ issuer: sequence(tlv(0x31, sequence(...parts))) })
  const commonName = oid("2.5.4.3")
  const cases: Readonly<Record<string, Fields>> = {
    "of version 1": { version: tlv(0xa0, integer(0)) },
    "with a serial number of two spellings": { serial: integer(0, 1) },
    "with dates in a set": { validity: tlv(0x31, time(-1), time(1)) },
    "with a key in a set": { key: tlv(0x31, sha256Ecdsa, bits(hex("04"))) },
    "without a key": { key: hex(""), extensions: hex("") },
    "with an unknown optional field": optional(tlv(0x84, "")),
    "with an optional field of another class": optional(integer(1)),
    "with optional fields in another order": optional(tlv(0x82, hex("00 01")), tlv(0x81, hex("00 01"))),
    "with an optional field twice": optional(tlv(0x81, hex("00 01")), tlv(0x81, hex("00 01"))),
    "with extensions in a set": optional(tlv(0xa3, tlv(0x31, sequence(id, value)))),
    "with an empty list of extensions": optional(tlv(0xa3, sequence())),
    "with an empty field of extensions": optional(tlv(0xa3)),
    "with two lists of extensions": optional(tlv(0xa3, sequence(sequence(id, value)), sequence(sequence(id, value)))),
    "with an extension without an identifier": withExtension(value, value),
    "with an extension without a value": withExtension(id),
    "with an extension in an integer": withExtension(id, integer(1)),
    "with an extension of four parts": withExtension(id, tlv(1, hex("ff")), tlv(1, hex("ff")), value),
    "with an extension that says it is not critical": withExtension(id, tlv(1, hex("00")), value),
    "with an extension that is critical in another way": withExtension(id, tlv(1, hex("01")), value),
    "with an extension whose criticality is a number": withExtension(id, integer(0xff), value),
    "with a name in a set": { issuer: tlv(0x31) },
    "with a part of a name in a sequence": { issuer: sequence(sequence(sequence(commonName, tlv(0x0c, "a")))) },
    "with an empty part of a name": { issuer: sequence(tlv(0x31)) },
    "with an attribute without a type": rdn(tlv(0x0c, "a"), tlv(0x0c, "a")),
    "with an attribute without a value": rdn(commonName),
    "with an attribute of two values": rdn(commonName, tlv(0x0c, "a"), tlv(0x0c, "b")),
    "with text that is not UTF-8": rdn(commonName, tlv(0x0c, hex("ff"))),
    "with half a character in a BMPString": rdn(commonName, tlv(0x1e, hex("00 61 00"))),
  }
  for (const [what, replaced] of Object.entries(cases)) {
    test(what, () => assert.equal(faultWith(replaced), "malformed"))
  }

  test("and no other: without extensions, with unique identifiers, with any type of text", () => {
    assert.deepEqual(new Certificate(certificate(optional())).extensions, [])
    const identifiers = optional(tlv(0x81, hex("00 01")), tlv(0x82, hex("00 01")), fields.extensions)
    assert.equal(new Certificate(certificate(identifiers)).extensions.length, 1)
    const critical = withExtension(id, tlv(1, hex("ff")), value)
    assert.equal(new Certificate(certificate(critical)).extensions[0]?.critical, true)
    const keyOf = (text: Uint8Array) => new Certificate(certificate(rdn(commonName, text))).issuer.key
    assert.equal(keyOf(tlv(0x1e, hex("00 41 00 e4"))), keyOf(tlv(0x0c, "aÄ")))
    assert.equal(keyOf(tlv(0x14, hex("41 e4"))), keyOf(tlv(0x0c, "aÄ")))
    assert.notEqual(keyOf(tlv(4, "a")), keyOf(tlv(0x0c, "a")))
  })
})

describe("names and name constraints are malformed", () => {
  const alice = email("alice@example.org")
  const names: Readonly<Record<string, Uint8Array>> = {
    "without any name": sequence(),
    "in a set": tlv(0x31, alice),
    "with a form that there is not": sequence(tlv(0x89, "a")),
    "with a directory name of two": sequence(tlv(0xa4, distinguishedName("CN=a"), distinguishedName("CN=b"))),
    "with a directory name of none": sequence(tlv(0xa4)),
    "with a character that is not ASCII": sequence(email("älice@example.org")),
  }
  for (const [what, bytes] of Object.entries(names)) {
    test(what, () => assert.throws(() => readGeneralNames(bytes), malformed))
  }

  const [permitted, excluded] = [tlv(0xa0, sequence(alice)), tlv(0xa1, sequence(alice))]
  const constraints: Readonly<Record<string, Uint8Array>> = {
    "in another order": sequence(excluded, permitted),
    "with a list twice": sequence(permitted, permitted),
    "with a third list": sequence(permitted, excluded, tlv(0xa2, sequence(alice))),
    "with a list of a kind that there is not": sequence(tlv(0xa2, sequence(alice))),
    "with a base that is not wrapped": sequence(tlv(0xa0, directory("CN=a"))),
    "with a subtree without a base": sequence(tlv(0xa0, sequence())),
  }
  for (const [what, bytes] of Object.entries(constraints)) {
    test(what, () => assert.throws(() => readNameConstraints(bytes), malformed))
  }

  test("and no other", () => {
    assert.equal(readGeneralNames(sequence(alice, tlv(0x88, hex("2a 03")), tlv(0xa3), tlv(0xa5))).length, 4)
    const read = readNameConstraints(sequence(permitted, excluded))
    assert.deepEqual([read.permitted.length, read.excluded.length], [1, 1])
    assert.equal(readName(hex("30 00"), element(hex("30 00"), 0)!).rdns.length, 0)
    for (const range of [ip(1, 2, 255, 0), ip(1, 2, 3, 4, 5, 255, 255, 255, 255, 0)]) {
      const subtrees = sequence(tlv(0xa0, sequence(range)))
      assert.throws(() => readNameConstraints(subtrees), { fault: "not-conforming" })
    }
    assert.throws(() => readNameConstraints(sequence(tlv(0xa0, sequence(dns("a b"))))), { fault: "not-conforming" })
  })
})

// --- Keys ------------------------------------------------------------------------------------------------------------

describe("a key", () => {
  const p256 = hex("06 07 2a8648ce3d0201 06 08 2a8648ce3d030107")
  const ed25519 = eddsa("Ed25519").algorithm
  const point = (first: number, size: number) => bits(Buffer.concat([Uint8Array.of(first), new Uint8Array(size - 1)]))
  const rsaEncryption = sequence(oid("1.2.840.113549.1.1.1"), hex("05 00"))
  const modulus = (length = 256, first = 0xff, last = 0xff) => {
    const bytes = Buffer.alloc(length, 0xff)
    bytes[0] = first
    bytes[length - 1] = last
    return tlv(2, hex("00"), bytes)
  }
  const exponent = integer(1, 0, 1)
  const rsa = (...numbers: Uint8Array[]) => sequence(rsaEncryption, bits(sequence(...numbers)))
  const cases: Readonly<Record<string, readonly [string | undefined, Uint8Array]>> = {
    "that is a point of P-256": [undefined, sequence(sequence(p256), point(4, 65))],
    "with a third field": ["malformed", sequence(sequence(p256), point(4, 65), hex("05 00"))],
    "whose algorithm is a set": ["malformed", sequence(tlv(0x31, p256), point(4, 65))],
    "in an octet string": ["malformed", sequence(sequence(p256), tlv(4, point(4, 65).subarray(2)))],
    "with unused bits": ["malformed", sequence(sequence(p256), bits(new Uint8Array(65).fill(4), 1))],
    "that is a compressed point": ["malformed", sequence(sequence(p256), point(2, 33))],
    "that is a point of another size": ["malformed", sequence(sequence(p256), point(4, 97))],
    "that is no uncompressed point": ["malformed", sequence(sequence(p256), point(6, 65))],
    "with the parameters of its curve": [
      "unsupported-algorithm",
      sequence(sequence(oid("1.2.840.10045.2.1"), sequence()), point(4, 65)),
    ],
    "of Ed25519": [undefined, sequence(ed25519, bits(new Uint8Array(32)))],
    "of Ed25519 that is too short": ["malformed", sequence(ed25519, bits(new Uint8Array(31)))],
    "of DSA": ["weak-algorithm", sequence(sequence(oid("1.2.840.10040.4.1"), sequence()), bits(r))],
    "of an algorithm that nobody knows": ["unsupported-algorithm", sequence(sequence(oid("1.2.3.4")), bits(r))],
    "of RSA": [undefined, rsa(modulus(), exponent)],
    "of RSA with three numbers": ["malformed", rsa(modulus(), exponent, exponent)],
    "of RSA with one number": ["malformed", rsa(modulus())],
    "of RSA with an octet string": ["malformed", rsa(tlv(4, new Uint8Array(256).fill(255)), exponent)],
    "of RSA in two spellings": ["malformed", rsa(modulus(), integer(0, 3))],
    "of RSA with a negative modulus": ["malformed", rsa(tlv(2, hex("80"), new Uint8Array(255).fill(255)), exponent)],
    "of RSA with a negative exponent": ["malformed", rsa(modulus(), integer(0x81))],
    "of RSA with an even modulus": ["weak-algorithm", rsa(modulus(256, 0xff, 0xfe), exponent)],
    "of RSA with an even exponent": ["weak-algorithm", rsa(modulus(), integer(4))],
    "of RSA with an exponent of 2": ["weak-algorithm", rsa(modulus(), integer(2))],
    "of RSA with an exponent of 3": [undefined, rsa(modulus(), integer(3))],
    "of RSA with an exponent of 32 bits": [undefined, rsa(modulus(), integer(0, 0x80, 0, 0, 1))],
    "of RSA of 8,192 bits": [undefined, rsa(modulus(1024), exponent)],
    "of RSA of 8,200 bits": ["unsupported-algorithm", rsa(modulus(1025), exponent)],
  }
  for (const [what, [fault, key]] of Object.entries(cases)) {
    test(`${what}: ${fault ?? "as any"}`, () => {
      const root = authority("root", { publicKeyInfo: key })
      assert.equal(judgeRoot(root.der, { at }), fault)
    })
  }

  test("is found where there are no extensions", () => assert.equal(judgeRoot(issue({}).der, { at }), "not-a-ca"))
})

// --- Revocation lists ------------------------------------------------------------------------------------------------

describe("a revocation list is malformed", () => {
  const listFields = {
    version: integer(1),
    algorithm: sha256Ecdsa,
    issuer: distinguishedName("CN=root"),
    thisUpdate: time(-1),
    nextUpdate: time(1),
    entries: sequence(sequence(integer(9), time(-2))),
    extensions: tlv(0xa0, sequence(crlNumber())),
  }
  type ListFields = Partial<Record<keyof typeof listFields, Uint8Array>>
  const tbs = (replaced: ListFields = {}) => sequence(...Object.values({ ...listFields, ...replaced }))
  const list = (replaced: ListFields) => sequence(tbs(replaced), sha256Ecdsa, signature)
  const read = (bytes: Uint8Array) => revocationLists([bytes], { at })
  const date = (text: string, tag = 0x17) => ({ thisUpdate: tlv(tag, text) })
  const entry = (...parts: Uint8Array[]) => ({ entries: sequence(sequence(...parts)) })
  const extensions = (...parts: Uint8Array[]) => ({ extensions: tlv(0xa0, sequence(...parts)) })
  const [torn, inSet] = [sequence(oid("1.2.3.4"), hex("30 02 04 05")), tlv(0x31, oid("1.2.3.4"))]
  const critical = sequence(extension("2.5.29.21", tlv(0x0a, hex("01")), true))
  const cases: Readonly<Record<string, Uint8Array>> = {
    "that is not DER within": sequence(tbs({ algorithm: torn }), torn, signature),
    "whose signed part is a set": sequence(tlv(0x31, ...Object.values(listFields)), sha256Ecdsa, signature),
    "whose algorithm is a set": sequence(tbs({ algorithm: inSet }), inSet, signature),
    "without a signature": sequence(tbs(), sha256Ecdsa),
    "with a signature in an octet string": sequence(tbs(), sha256Ecdsa, tlv(4, signature.subarray(2))),
    "with unused bits": sequence(tbs(), sha256Ecdsa, bits(sequence(r, r), 1)),
    "with an element behind": sequence(tbs(), sha256Ecdsa, signature, hex("05 00")),
    "of version 1": list({ version: integer(0) }),
    "with nothing in it": sequence(sequence(), sha256Ecdsa, signature),
    "signed with another algorithm than it says": list({ algorithm: ecdsa("sha384").algorithm }),
    "that ends after its algorithm": sequence(sequence(integer(1), sha256Ecdsa), sha256Ecdsa, signature),
    "without a next one": list({ nextUpdate: hex(""), entries: hex(""), extensions: hex("") }),
    "without extensions": list({ extensions: hex("") }),
    "with a field behind": list({ extensions: Buffer.concat([listFields.extensions, hex("05 00")]) }),
    "with extensions in a set": list({ extensions: tlv(0xa0, tlv(0x31, crlNumber())) }),
    "with an empty field of extensions": list({ extensions: tlv(0xa0) }),
    "with an extension without an identifier": list(extensions(crlNumber(), sequence(tlv(4, "a"), tlv(4, "a")))),
    "with an extension that changes what it is about": list(extensions(crlNumber(), extension("2.5.29.99", r))),
    "with an entry whose number is none": list(entry(tlv(4, "1"), time(-2))),
    "with an entry without a date": list(entry(r)),
    "with an entry that has a critical extension": list(entry(r, time(-2), critical)),
    "with an entry whose extensions are none": list(entry(r, time(-2), r)),
    "with a date without seconds": list(date("2610310000Z")),
    "with a date of another zone": list(date("261031000000+0100")),
    "with a year of four digits in a UTCTime": list(date("20261031000000Z")),
    "with a year of two digits in a GeneralizedTime": list(date("261031000000Z", 0x18)),
    "with a day that there is not": list(date("261332000000Z")),
  }
  for (const [what, bytes] of Object.entries(cases)) {
    test(what, () => assert.throws(() => read(bytes), malformed))
  }

  test("and no other: without entries, with reasons, of any time, with extensions that nobody needs to know", () => {
    const reason = sequence(extension("2.5.29.21", tlv(0x0a, hex("01"))))
    const sound: readonly ListFields[] = [
      {},
      { entries: hex("") },
      entry(r, time(-2), reason),
      date("20510101000000Z", 0x18),
      date("500101000000Z"),
      extensions(crlNumber(), extension("1.2.3.4", r)),
    ]
    for (const replaced of sound) assert.equal(typeof read(list(replaced)), "function")
  })
})
