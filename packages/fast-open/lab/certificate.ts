import "reflect-metadata"
import { webcrypto } from "node:crypto"
import { SubjectAlternativeNameExtension, X509CertificateGenerator } from "@peculiar/x509"

export interface ServerCertificate {
  readonly cert: string
  readonly key: string
}

/** A self-signed certificate on P-256 for one run of the laboratory, good for one address if there is one. */
export async function makeCertificate(address?: string): Promise<ServerCertificate> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" }
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"])
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      name: "CN=laboratory",
      keys,
      signingAlgorithm: algorithm,
      extensions: address === undefined ? [] : [new SubjectAlternativeNameExtension([{ type: "ip", value: address }])],
    },
    webcrypto as never,
  )
  const key = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64")
  return { cert: certificate.toString("pem"), key: `-----BEGIN PRIVATE KEY-----\n${key}\n-----END PRIVATE KEY-----\n` }
}
