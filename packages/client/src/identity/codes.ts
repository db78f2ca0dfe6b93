import { type Person, personCode, safetyCode } from "@conclave/identity"
import type { Identity } from "./identity.js"
import { requireName } from "./names.js"

type Hashing = Pick<Identity, "suite">

/** See `Conversation.safetyCode`. */
export function safetyCodeOf(identity: Hashing, people: readonly [Person, Person]): string {
  return safetyCode(sha512Of(identity), people)
}

/** See `Client.keyCode`. @throws TypeError where `name` is not a name */
export function keyCodeOf(identity: Hashing, name: string, signatureKey: Uint8Array): string {
  requireName(name)
  return personCode(sha512Of(identity), { name, signatureKeys: [signatureKey] })
}

function sha512Of({ suite }: Hashing) {
  const sha512 = suite.provider.hashes["SHA-512"]
  if (sha512 === undefined) throw new TypeError("the provider lacks SHA-512")
  return sha512
}
