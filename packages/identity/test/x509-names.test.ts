import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { judgeChain } from "@conclave/identity/x509"
import {
  at,
  authority,
  directory,
  dns,
  email,
  extension,
  ip,
  issue,
  nameConstraints,
  oid,
  otherName,
  rawKey,
  type Subtrees,
  sequence,
  tlv,
  uri,
} from "./x509-issuer.js"

const root = authority("root")
const options = { roots: [root.der], at }

/** Judges a leaf with `names` below an intermediate with these constraints, an e-mail address always among the names. */
async function faultBelow(
  constraints: Subtrees | Uint8Array,
  names: readonly Uint8Array[],
  { subject = "alice", critical = false } = {},
): Promise<string> {
  const limit = constraints instanceof Uint8Array ? constraints : nameConstraints(constraints, critical)
  const limited = authority("limited", { issuer: root, extensions: [limit] })
  const leaf = issue({ name: subject, issuer: limited, names })
  const judgement = await judgeChain([leaf.der, limited.der], rawKey(leaf), options)
  return judgement.valid ? "valid" : judgement.fault
}

const alice = email("alice@example.org")

describe("name constraints hold whatever their criticality (RFC 5280 §6.1.4 (g))", () => {
  for (const critical of [false, true]) {
    const word = critical ? "critical" : "non-critical"
    test(`${word} ones let an issuer vouch for names inside, and for no others`, async () => {
      const constraints = { permitted: [email("example.org")] }
      assert.equal(await faultBelow(constraints, [alice], { critical }), "valid")
      assert.equal(await faultBelow(constraints, [email("bob@example.com")], { critical }), "name-constraints")
    })
  }

  const permitted = (base: Uint8Array): Subtrees => ({ permitted: [base] })
  const excluded = (base: Uint8Array): Subtrees => ({ excluded: [base] })
  /** A base, names within it, and names that are not. */
  const forms: Readonly<Record<string, readonly [Uint8Array, readonly Uint8Array[], readonly Uint8Array[]]>> = {
    "one mailbox": [
      email("alice@example.org"),
      [alice, email("alice@EXAMPLE.org")],
      [email("Alice@example.org"), email("alice@mail.example.org"), email('"alice@example.org"@example.com')],
    ],
    "the mailboxes of one host": [
      email("example.org"),
      [alice, email('"a b"@example.org')],
      [email("alice@mail.example.org"), email("alice@anexample.org")],
    ],
    "the mailboxes of all hosts below a domain": [
      email(".example.org"),
      [email("alice@mail.example.org")],
      [alice, email("alice@mail.anexample.org")],
    ],
    "all mailboxes": [email(""), [alice], []],
    "DNS names": [
      dns("example.org"),
      [dns("example.org"), dns("a.b.Example.ORG"), dns("*.example.org")],
      [dns("anexample.org"), dns("org"), dns("example.org.example.com")],
    ],
    "the host of URIs": [
      uri("example.org"),
      [uri("https://example.org/alice"), uri("xmpp://alice@EXAMPLE.ORG:5222/x?y")],
      [uri("https://mail.example.org/"), uri("https://example.com/example.org")],
    ],
    "all hosts of URIs below a domain": [
      uri(".example.org"),
      [uri("https://mail.example.org/")],
      [uri("https://example.org/"), uri("https://mail.example.com?.example.org")],
    ],
    "IPv4 addresses": [ip(192, 0, 2, 0, 255, 255, 255, 0), [ip(192, 0, 2, 77)], [ip(192, 0, 3, 77)]],
    "IPv6 addresses": [
      ip(0x20, 1, 0xd, 0xb8, ...Array(12).fill(0), ...Array(4).fill(255), ...Array(12).fill(0)),
      [ip(0x20, 1, 0xd, 0xb8, ...Array(12).fill(7))],
      [ip(0x20, 1, 0xd, 0xb9, ...Array(12).fill(7)), ip(32, 1, 13, 184)],
    ],
  }
  for (const [form, [base, within, outside]] of Object.entries(forms)) {
    test(`${form}: permitted and excluded`, async () => {
      for (const name of within) {
        assert.equal(await faultBelow(permitted(base), withIdentity(name)), "valid")
        assert.equal(await faultBelow(excluded(base), [name]), "name-constraints")
      }
      for (const name of outside) {
        assert.equal(await faultBelow(permitted(base), [name]), "name-constraints")
        assert.equal(await faultBelow(excluded(base), [dns("x.test"), name]), "valid")
      }
    })
  }
  /** An address is no identity: a name of another form stands beside it, which the constraint does not touch. */
  const withIdentity = (name: Uint8Array) => (name[0] === 0x87 ? [dns("x.test"), name] : [name])

  test("directory names: of the subject and among its alternative names, whatever letter case and string type", async () => {
    const base = directory("O=Example  Org")
    assert.equal(await faultBelow(permitted(base), [alice], { subject: "O=example org,CN=alice" }), "valid")
    assert.equal(await faultBelow(permitted(base), [alice], { subject: "O=other,CN=alice" }), "name-constraints")
    assert.equal(await faultBelow(permitted(base), [alice], { subject: "CN=alice,O=Example Org" }), "name-constraints")
    assert.equal(await faultBelow(excluded(base), [alice], { subject: "O=EXAMPLE org,CN=alice" }), "name-constraints")
    assert.equal(await faultBelow(excluded(base), [alice, directory("O=Example Org,CN=a")]), "name-constraints")
    const printable = tlv(0xa4, sequence(tlv(0x31, sequence(oid("2.5.4.10"), tlv(0x13, "EXAMPLE ORG")))))
    assert.equal(await faultBelow(excluded(printable), [alice], { subject: "O=Example Org" }), "name-constraints")
  })

  test("an e-mail address in the subject is constrained as one among the alternative names", async () => {
    const subject = "CN=bob,E=bob@example.com"
    assert.equal(await faultBelow(permitted(email("example.org")), [alice], { subject }), "name-constraints")
    assert.equal(await faultBelow(excluded(email("example.org")), [dns("x.test")], { subject }), "valid")
    // One that is no address is within nothing, and may be anywhere.
    for (const subtrees of [permitted(email("")), excluded(email("example.org"))]) {
      assert.equal(await faultBelow(subtrees, [dns("x.test")], { subject: "CN=bob,E=bob" }), "name-constraints")
    }
  })

  test("a wildcard that may be an excluded name is excluded", async () => {
    assert.equal(await faultBelow(excluded(dns("bar.example.org")), [dns("*.example.org")]), "name-constraints")
    assert.equal(await faultBelow(excluded(dns("a.bar.example.org")), [dns("*.example.org")]), "valid")
    assert.equal(await faultBelow(permitted(dns("foo.example.org")), [dns("*.example.org")]), "name-constraints")
  })

  test("a URI whose host cannot be told is refused where URIs are constrained", async () => {
    for (const name of ["urn:uuid:1", "https://192.0.2.1/", "https://[::1]/", "https://example%2eorg/", "mailto:a@b"]) {
      for (const base of ["example.org", ".example.org", ""]) {
        assert.equal(await faultBelow(permitted(uri(base)), [uri(name)]), "name-constraints")
      }
      assert.equal(await faultBelow(excluded(uri("example.com")), [uri(name)]), "name-constraints")
      assert.equal(await faultBelow(excluded(email("example.com")), [uri(name)]), "valid")
    }
  })

  test("a form that is not understood refuses the names of this form, and only them", async () => {
    for (const constraints of [permitted(otherName()), excluded(otherName())]) {
      assert.equal(await faultBelow(constraints, [alice, otherName()]), "name-constraints")
      assert.equal(await faultBelow(constraints, [alice]), "valid")
    }
  })

  test("the constraints of each issuer hold for all below it, those of the root included", async () => {
    const limitedRoot = authority("root", { extensions: [nameConstraints({ permitted: [email("example.org")] })] })
    const wider = nameConstraints({ permitted: [email("example.org"), email("example.com")] })
    const middle = authority("middle", { issuer: limitedRoot, extensions: [wider] })
    const judge = async (name: Uint8Array) => {
      const leaf = issue({ issuer: middle, names: [name] })
      return (await judgeChain([leaf.der, middle.der], rawKey(leaf), { roots: [limitedRoot.der], at })).valid
    }
    assert.equal(await judge(alice), true)
    assert.equal(await judge(email("alice@example.com")), false)
  })

  test("a self-issued intermediate is exempt, a self-issued leaf is not", async () => {
    const limited = authority("limited", {
      issuer: root,
      extensions: [nameConstraints({ permitted: [email("example.org")] })],
    })
    const renewed = authority("limited", { issuer: limited, names: [email("ca@example.com")] })
    const leaf = issue({ issuer: renewed, names: [alice] })
    assert.equal((await judgeChain([leaf.der, renewed.der, limited.der], rawKey(leaf), options)).valid, true)
    const selfIssued = issue({ name: "limited", issuer: limited, names: [email("ca@example.com")] })
    assert.deepEqual(await judgeChain([selfIssued.der, limited.der], rawKey(selfIssued), options), {
      valid: false,
      fault: "name-constraints",
    })
  })

  test("constraints that are not written as RFC 5280 §4.2.1.10 says make their issuer unusable", async () => {
    const bases = {
      "a wildcard": dns("*.example.org"),
      "a leading period of a DNS name": dns(".example.org"),
      "an address without a mask": ip(192, 0, 2, 1),
      "a mask with holes": ip(192, 0, 2, 0, 255, 0, 255, 0),
      "two at signs": email("a@b@example.org"),
    }
    for (const [what, base] of Object.entries(bases)) {
      assert.equal(await faultBelow(permitted(base), [alice]), "not-conforming", what)
    }
    const distance = sequence(email("example.org"), tlv(0x80, Uint8Array.of(1)))
    const withMinimum = extension("2.5.29.30", sequence(tlv(0xa0, distance)))
    assert.equal(await faultBelow(withMinimum, [alice]), "not-conforming")
    for (const empty of [sequence(), sequence(tlv(0xa0)), sequence(tlv(0xa0), tlv(0xa1))]) {
      assert.equal(await faultBelow(extension("2.5.29.30", empty), [alice]), "malformed")
    }
  })
})

describe("names are written as RFC 5280 §4.2.1.6 says, or the certificate is refused", () => {
  const names = {
    "a DNS name with an underscore": dns("foo_bar.example.org"),
    "an address as a DNS name": dns("192.0.2.1"),
    "a wildcard within a label": dns("a*.example.org"),
    "a wildcard for a top-level domain": dns("*.org"),
    "a wildcard above an underscore": dns("*.foo_bar.org"),
    "a DNS name of 254 characters": dns([63, 63, 63, 62].map((length) => "a".repeat(length)).join(".")),
    "an e-mail address without a host": email("alice"),
    "an e-mail address at no host": email("alice@foo_bar.org"),
    "an e-mail address with two hosts": email("alice@example.com@example.org"),
    "a relative URI": uri("/alice"),
    "a URI with a backslash": uri("https://example.com\\@example.org/"),
    "an address of five bytes": ip(1, 2, 3, 4, 5),
  }
  for (const [what, name] of Object.entries(names)) {
    test(what, async () => assert.equal(await faultBelow({ permitted: [email("")] }, [name]), "not-conforming"))
  }
  test("a control character", async () => {
    assert.equal(await faultBelow({ permitted: [email("")] }, [email("alice@example.org\0.evil.example")]), "malformed")
  })
})
