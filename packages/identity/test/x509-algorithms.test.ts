import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { nodeProvider } from "@conclave/crypto/node"
import { judgeChain, revocationLists } from "@conclave/identity/x509"
import {
  at,
  authority,
  ecdsa,
  eddsa,
  email,
  issue,
  issueList,
  type Keys,
  keyPairs,
  oid,
  type Party,
  pkcs1,
  pss,
  rawKey,
  type Signature,
  sequence,
  tlv,
} from "./x509-issuer.js"

const names = [email("alice@example.org")]
const provider = nodeProvider()
const rsa = keyPairs.rsa()
const otherRsa = keyPairs.rsa()

/** A leaf below an authority, trusted, that signs in this way. */
async function faultOf(issuer: Party, options: object = { provider }): Promise<string> {
  const leaf = issue({ issuer, names })
  const judgement = await judgeChain([leaf.der], rawKey(leaf), { roots: [issuer.der], at, ...options })
  if (judgement.valid) return "valid"
  return judgement.fault === "unusable-root" ? `root: ${judgement.rootFault}` : judgement.fault
}

/** The same with an intermediate that signs in this way, below a sound root. */
const soundRoot = authority("root")
async function faultBelow(keys: Keys, signature: Signature, options: object = { provider }): Promise<string> {
  const middle = authority("middle", { issuer: soundRoot, keys, signature })
  const leaf = issue({ issuer: middle, names })
  const judgement = await judgeChain([leaf.der, middle.der], rawKey(leaf), { roots: [soundRoot.der], at, ...options })
  return judgement.valid ? "valid" : judgement.fault
}

describe("signatures that are verified", () => {
  const sound: Readonly<Record<string, readonly [Keys, Signature]>> = {
    "RSA PKCS #1 v1.5 with SHA-256": [rsa, pkcs1("sha256")],
    "RSA PKCS #1 v1.5 with SHA-384": [rsa, pkcs1("sha384")],
    "RSA PKCS #1 v1.5 with SHA-512": [rsa, pkcs1("sha512")],
    "RSA PSS with SHA-256": [rsa, pss("sha256", 32)],
    "RSA PSS with SHA-256 and another salt": [rsa, pss("sha256", 20, "absent")],
    "RSA PSS with SHA-384": [rsa, pss("sha384", 48)],
    "RSA PSS with SHA-512": [rsa, pss("sha512", 64, "absent")],
    "RSA of 3,072 bits": [keyPairs.rsa(3072), pkcs1("sha256")],
    Ed25519: [keyPairs.ed25519(), eddsa("Ed25519")],
    Ed448: [keyPairs.ed448(), eddsa("Ed448")],
  }
  for (const curve of ["p256", "p384", "p521"] as const) {
    for (const hash of ["sha256", "sha384", "sha512"] as const) {
      Object.assign(sound, { [`ECDSA over ${curve} with ${hash}`]: [keyPairs[curve](), ecdsa(hash)] })
    }
  }
  for (const [what, [keys, signature]] of Object.entries(sound)) {
    test(what, async () => {
      assert.equal(await faultOf(authority("root", { keys, signature })), "valid")
      const without = what === "Ed448" ? "unsupported-algorithm" : "valid"
      assert.equal(await faultBelow(keys, signature, {}), without, "without a provider")
      const forger = { name: "middle", keys: { ...keys, privateKey: otherKey(keys).privateKey }, signature }
      const middle = authority("middle", { issuer: soundRoot, keys, signature })
      const forged = issue({ issuer: forger, names })
      const options = { roots: [soundRoot.der], at, provider }
      assert.deepEqual(await judgeChain([forged.der, middle.der], rawKey(forged), options), {
        valid: false,
        fault: "bad-signature",
      })
    })
  }

  /** Another key of the same kind. */
  function otherKey({ publicKey }: Keys): Keys {
    const curve = publicKey.asymmetricKeyDetails?.namedCurve
    if (curve === "prime256v1") return keyPairs.p256()
    if (curve === "secp384r1") return keyPairs.p384()
    if (curve === "secp521r1") return keyPairs.p521()
    if (publicKey.asymmetricKeyType === "ed25519") return keyPairs.ed25519()
    return publicKey.asymmetricKeyType === "ed448" ? keyPairs.ed448() : otherRsa
  }

  test("an algorithm that is not the key's is no signature", async () => {
    const kinds = [
      [rsa, pkcs1("sha256")],
      [keyPairs.p256(), ecdsa("sha256")],
      [keyPairs.ed25519(), eddsa("Ed25519")],
    ] as const
    for (const [keys, signature] of kinds) {
      const issuer = authority("root", { keys, signature })
      for (const [otherKeys, otherSignature] of kinds) {
        if (otherKeys === keys) continue
        const leaf = issue({ issuer: { ...issuer, keys: otherKeys, signature: otherSignature }, names })
        for (const options of [{}, { provider }]) {
          const judgement = await judgeChain([leaf.der], rawKey(leaf), { roots: [issuer.der], at, ...options })
          assert.deepEqual(judgement, { valid: false, fault: "bad-signature" })
        }
      }
    }
  })
})

describe("signatures that verify, in another encoding", () => {
  const parts = (signature: Uint8Array) => {
    const size = signature[3]!
    return [signature.subarray(4, 4 + size), signature.subarray(6 + size)] as const
  }

  test("are refused where the numbers are larger than the curve", async () => {
    const { algorithm, sign } = ecdsa("sha384")
    const overlong: Signature = {
      algorithm,
      sign(message, key) {
        for (;;) {
          const [r, s] = parts(sign(message, key))
          const magnitude = s[0] === 0 ? s.subarray(1) : s
          // Written one after the other, s with eight bytes of r before it is the signature.
          const padded = Buffer.concat([r.subarray(-8), magnitude])
          const isPositive = padded[0]! > 0 && padded[0]! < 0x80
          if (magnitude.length === 32 && isPositive) return sequence(tlv(2, r), tlv(2, padded))
        }
      },
    }
    assert.equal(await faultBelow(keyPairs.p256(), ecdsa("sha384"), {}), "valid")
    assert.equal(await faultBelow(keyPairs.p256(), overlong, {}), "bad-signature")
  })

  test("are refused on revocation lists as on certificates", async () => {
    const { algorithm, sign } = ecdsa("sha256")
    const respelled: Signature = {
      algorithm,
      sign(message, key) {
        const [r, s] = parts(sign(message, key))
        return sequence(tlv(2, r[0] === 0 ? r.subarray(1) : Buffer.concat([Uint8Array.of(0), r])), tlv(2, s))
      },
    }
    const leaf = issue({ issuer: soundRoot, names })
    const judge = async (signature: Signature) => {
      const isRevoked = revocationLists([issueList({ issuer: { ...soundRoot, signature } })], { at })
      const judgement = await judgeChain([leaf.der], rawKey(leaf), { roots: [soundRoot.der], at, isRevoked })
      return judgement.valid ? "valid" : judgement.fault
    }
    assert.equal(await judge(ecdsa("sha256")), "valid")
    assert.equal(await judge(respelled), "revocation-unknown")
  })

  test("of the other Edwards curve are none", async () => {
    const mixed = { ...eddsa("Ed448"), sign: eddsa("Ed25519").sign }
    assert.equal(await faultBelow(keyPairs.ed25519(), mixed), "bad-signature")
    assert.equal(
      await faultBelow(keyPairs.ed448(), { ...eddsa("Ed25519"), sign: eddsa("Ed448").sign }),
      "bad-signature",
    )
  })
})

describe("weak-algorithm", () => {
  test("signatures with MD5, SHA-1 and SHA-224, by an intermediate or a root", async () => {
    for (const hash of ["md5", "sha1", "sha224"] as const) {
      assert.equal(await faultBelow(rsa, pkcs1(hash)), "weak-algorithm", hash)
    }
    for (const hash of ["sha1", "sha224"] as const) {
      assert.equal(await faultBelow(keyPairs.p256(), ecdsa(hash)), "weak-algorithm", hash)
    }
    const sound = authority("root", { keys: rsa, signature: pkcs1("sha256") })
    assert.equal(await faultOf({ ...sound, signature: pkcs1("sha1") }), "weak-algorithm")
    const sha1Pss = { ...pss("sha256", 20), algorithm: sequence(oid("1.2.840.113549.1.1.10"), sequence()) }
    assert.equal(await faultBelow(rsa, sha1Pss), "weak-algorithm")
  })

  test("but not how a root has signed itself, nor a certificate that no path needs", async () => {
    const keys = keyPairs.rsa()
    const self = { name: "old", keys, signature: pkcs1("sha1") }
    const old = { ...authority("old", { ...self, issuer: self }), signature: pkcs1("sha256") }
    assert.equal(await faultOf(old), "valid")
    const middle = authority("middle", { issuer: soundRoot })
    const crossSigned = authority("middle", { issuer: { ...old, signature: pkcs1("sha1") }, keys: middle.keys })
    const leaf = issue({ issuer: middle, names })
    const chain = [leaf.der, crossSigned.der, middle.der]
    const judgement = await judgeChain(chain, rawKey(leaf), { roots: [old.der, soundRoot.der], at })
    assert.equal(judgement.valid, true)
  })

  test("RSA below 2,048 bits or of no whole number of bytes, in an intermediate, a root or a leaf", async () => {
    for (const bits of [1024, 2040, 2052]) {
      const weak = keyPairs.rsa(bits)
      assert.equal(await faultBelow(weak, pkcs1("sha256")), "weak-algorithm")
      assert.equal(await faultOf(authority("root", { keys: weak, signature: pkcs1("sha256") })), "root: weak-algorithm")
      const leaf = issue({ issuer: soundRoot, names, keys: weak })
      assert.deepEqual(await judgeChain([leaf.der], rawKey(leaf), { roots: [soundRoot.der], at }), {
        valid: false,
        fault: "weak-algorithm",
      })
    }
  })

  test("RSA with an exponent of 1, or of 33 bits and more", async () => {
    const withExponent = (...bytes: number[]) => {
      const modulus = Buffer.from(rsa.publicKey.export({ format: "jwk" }).n!, "base64url")
      const key = sequence(tlv(2, Uint8Array.of(0), modulus), tlv(2, Uint8Array.from(bytes)))
      const algorithm = sequence(oid("1.2.840.113549.1.1.1"), Buffer.from("0500", "hex"))
      return sequence(algorithm, tlv(3, Uint8Array.of(0), key))
    }
    const fault = async (...bytes: number[]) => {
      const options = { keys: rsa, signature: pkcs1("sha256"), publicKeyInfo: withExponent(...bytes) }
      return faultOf(authority("root", options))
    }
    assert.equal(await fault(1), "root: weak-algorithm")
    assert.equal(await fault(1, 0, 0, 0, 1), "root: unsupported-algorithm")
    assert.equal(await fault(1, 0, 1), "valid")
  })

  test("curves below 256 bits", async () => {
    assert.equal(await faultBelow(keyPairs.p192(), ecdsa("sha256")), "weak-algorithm")
  })
})

describe("unsupported-algorithm", () => {
  test("curves that MLS and WebCrypto do not have", async () => {
    assert.equal(await faultBelow(keyPairs.secp256k1(), ecdsa("sha256")), "unsupported-algorithm")
  })
  test("an algorithm that nobody knows", async () => {
    for (const parameters of [[], [sequence()]]) {
      const unknown = { ...ecdsa("sha256"), algorithm: sequence(oid("1.2.3.4"), ...parameters) }
      assert.equal(await faultBelow(keyPairs.p256(), unknown), "unsupported-algorithm")
    }
    const unnamed = { ...ecdsa("sha256"), algorithm: sequence(tlv(4, "1.2.3.4")) }
    assert.equal(await faultBelow(keyPairs.p256(), unnamed), "malformed")
  })
  test("RSA PSS without parameters, or with those that nobody needs", async () => {
    const without = { ...pss("sha256", 32), algorithm: sequence(oid("1.2.840.113549.1.1.10")) }
    assert.equal(await faultBelow(rsa, without), "unsupported-algorithm")
    assert.equal(
      await faultBelow(rsa, { ...pss("sha256", 32), algorithm: pss("sha256", 0x80).algorithm }),
      "unsupported-algorithm",
    )
  })
  test("Ed448 where the provider lacks it", async () => {
    const { Ed448: _, ...signatures } = provider.signatures
    assert.equal(
      await faultBelow(keyPairs.ed448(), eddsa("Ed448"), { provider: { signatures } }),
      "unsupported-algorithm",
    )
  })
  test("RSA beyond 8,192 bits, which would be slow to verify", async () => {
    const modulus = Buffer.alloc(1025, 0xff)
    const key = sequence(tlv(2, Uint8Array.of(0), modulus), tlv(2, Uint8Array.of(1, 0, 1)))
    const algorithm = sequence(oid("1.2.840.113549.1.1.1"), Buffer.from("0500", "hex"))
    const publicKeyInfo = sequence(algorithm, tlv(3, Uint8Array.of(0), key))
    const root = authority("root", { keys: rsa, signature: pkcs1("sha256"), publicKeyInfo })
    assert.equal(await faultOf(root), "root: unsupported-algorithm")
  })
})
