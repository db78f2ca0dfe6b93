import "reflect-metadata"
import { judgeChain } from "@conclave/identity/x509"
import {
  BasicConstraintsExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509"
import { type Attack, outcome } from "../attack.js"

const at = new Date("2026-11-01T00:00:00Z")
const DAY = 86_400_000
const curve = { name: "ECDSA", namedCurve: "P-256" } as const

interface Wanted {
  readonly name: string
  readonly keys: CryptoKeyPair
  readonly issuer?: { readonly name: string; readonly keys: CryptoKeyPair }
  readonly email?: string
  readonly extra?: readonly Extension[]
  readonly algorithm?: EcdsaParams | Algorithm
}

type CryptoKeyPair = import("node:crypto").webcrypto.CryptoKeyPair
type EcdsaParams = { name: string; hash: string; namedCurve?: string }
type Algorithm = { name: string; hash: string }

async function issue({ name, keys, issuer, email, extra = [], algorithm }: Wanted): Promise<X509Certificate> {
  const isLeaf = email !== undefined
  const usage = isLeaf ? KeyUsageFlags.digitalSignature : KeyUsageFlags.keyCertSign
  const extensions: Extension[] = [new KeyUsagesExtension(usage, true), ...extra]
  if (isLeaf) extensions.push(new SubjectAlternativeNameExtension([{ type: "email", value: email }]))
  else extensions.push(new BasicConstraintsExtension(true, undefined, true))
  return X509CertificateGenerator.create({
    serialNumber: "01",
    subject: `CN=${name}`,
    issuer: `CN=${issuer?.name ?? name}`,
    notBefore: new Date(at.getTime() - 10 * DAY),
    notAfter: new Date(at.getTime() + 10 * DAY),
    signingAlgorithm: algorithm ?? { ...curve, hash: "SHA-256" },
    publicKey: keys.publicKey,
    signingKey: (issuer?.keys ?? keys).privateKey,
    extensions,
  })
}

const ecdsa = () => crypto.subtle.generateKey(curve, true, ["sign", "verify"]) as Promise<CryptoKeyPair>
const rsa = (modulusLength: number, hash: string) =>
  crypto.subtle.generateKey(
    { name: "RSASSA-PKCS1-v1_5", modulusLength, publicExponent: Uint8Array.of(1, 0, 1), hash },
    true,
    ["sign", "verify"],
  ) as Promise<CryptoKeyPair>
const der = (certificate: X509Certificate) => new Uint8Array(certificate.rawData)
const rawKey = async (keys: CryptoKeyPair) => new Uint8Array(await crypto.subtle.exportKey("raw", keys.publicKey))

/** What the application believes of a chain from `mallory`, for a signature key that is hers. */
async function judged(chain: readonly X509Certificate[], leaf: CryptoKeyPair, root: X509Certificate): Promise<string> {
  const judgement = await judgeChain(chain.map(der), await rawKey(leaf), { roots: [der(root)], at })
  return judgement.valid ? `taken as ${judgement.identities}` : judgement.fault
}

/** RFC 5280 §4.2.1.10: permitted is example.org, as an rfc822Name, and nothing else. */
function onlyExampleOrg(critical: boolean): Extension {
  const name = Buffer.from("example.org", "ascii")
  const base = Buffer.concat([Buffer.from([0x81, name.length]), name])
  const sequence = (tag: number, content: Buffer) => Buffer.concat([Buffer.from([tag, content.length]), content])
  const value = sequence(0x30, sequence(0xa0, sequence(0x30, base)))
  return new Extension("2.5.29.30", critical, value)
}

const outOfBounds: Attack = {
  id: "F1",
  title: "vouches, as an authority for example.org, for somebody at example.net",
  who: "member",
  quick: true,
  async run() {
    const [rootKeys, middleKeys, leafKeys] = await Promise.all([ecdsa(), ecdsa(), ecdsa()])
    const root = await issue({ name: "root", keys: rootKeys })
    const issuer = { name: "root", keys: rootKeys }
    const middle = await issue({ name: "middle", keys: middleKeys, issuer, extra: [onlyExampleOrg(false)] })
    const leafIssuer = { name: "middle", keys: middleKeys }
    const leaf = await issue({ name: "m", keys: leafKeys, issuer: leafIssuer, email: "alice@example.net" })
    const said = await judged([leaf, middle], leafKeys, root)
    return outcome(said.startsWith("taken"), `alice@example.net: ${said}`)
  },
}

const weak: Attack = {
  id: "F2",
  title: "brings certificates signed with SHA-1, or by an RSA key of 1,024 bits",
  who: "member",
  async run() {
    const said: string[] = []
    for (const [what, size, hash] of [
      ["SHA-1", 2_048, "SHA-1"],
      ["RSA of 1,024 bits", 1_024, "SHA-256"],
    ] as const) {
      const [rootKeys, middleKeys, leafKeys] = await Promise.all([ecdsa(), rsa(size, hash), ecdsa()])
      const root = await issue({ name: "root", keys: rootKeys })
      const middle = await issue({ name: "middle", keys: middleKeys, issuer: { name: "root", keys: rootKeys } })
      const leaf = await issue({
        name: "m",
        keys: leafKeys,
        issuer: { name: "middle", keys: middleKeys },
        email: "alice@example.org",
        algorithm: { name: "RSASSA-PKCS1-v1_5", hash },
      })
      said.push(`${what}: ${await judged([leaf, middle], leafKeys, root)}`)
    }
    return outcome(
      said.some((it) => it.includes("taken")),
      said.join("; "),
    )
  },
}

export const chains: readonly Attack[] = [outOfBounds, weak]
