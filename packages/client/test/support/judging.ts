import { type Device, REGISTRATION_LABEL } from "@conclave/contracts/auth"
import { isEndorsement, type Judgement } from "@conclave/identity/verdicts"
import { type CredentialClaim, cipherSuite, signWithLabel } from "@conclave/mls"
import { Identity } from "../../src/identity/identity.js"
import { Judge } from "../../src/identity/judge.js"
import { Transactions } from "../../src/journal/transactions.js"
import type { Profile } from "../../src/records/records.js"
import { registrationContent } from "../../src/service/directory.js"
import { memoryStore } from "../../src/store/memory.js"
import { SealedStore } from "../../src/store/sealed.js"
import { provider } from "./world.js"

export const suite = cipherSuite(1, provider)

export interface Listed {
  readonly claim: CredentialClaim
  readonly device: Device
  readonly identity: Identity
}

/** A judge by itself, and a directory that lists what a test tells it to. */
export function makeJudge({ fails = false } = {}) {
  const random = (length: number) => provider.random(length)
  const store = new SealedStore(memoryStore(), { provider, sealingKey: new Uint8Array(32), random })
  const devices = new Map<string, Device[]>()
  const asked: string[] = []
  const judge = new Judge({
    store,
    directory: {
      async devices(name) {
        asked.push(name)
        if (fails) throw new Error("silence")
        return devices.get(name) ?? []
      },
    },
    verifyEndorsement: (claim) => isEndorsement(suite, claim),
    ...{ acceptEndorsed: true, cipherSuite: 1 },
  })
  const transactions = new Transactions(store, profileOf("alice"))
  return {
    judge,
    devices,
    asked,
    /** Enters a new device into the directory, endorsed by another. */
    list(name: string, endorser?: Listed, registeredAt = 0n): Listed {
      const identity = makeIdentity(name)
      const content = { name, cipherSuite: 1, signatureKey: identity.signatureKey }
      const endorsement = endorser && {
        deviceId: endorser.identity.deviceId,
        signature: signWithLabel(endorser.identity.signer.key, REGISTRATION_LABEL, registrationContent(content)),
      }
      const device: Device = { ...content, deviceId: identity.deviceId, registeredAt, endorsement }
      devices.set(name, [...(devices.get(name) ?? []), device])
      return {
        claim: { credential: basic(name), signatureKey: identity.signatureKey, reason: "add" },
        device,
        identity,
      }
    },
    pin: (judgement: Judgement) =>
      transactions.run(undefined, (transaction) => {
        for (const pin of judgement.pins) judge.pin(transaction, pin)
      }),
  }
}

export function profileOf(name: string): Profile {
  using key = suite.signature.generate((length) => provider.random(length))
  return {
    version: 1,
    name,
    suite: 1,
    signaturePrivateKey: key.exportPrivateKey(),
    signaturePublicKey: key.publicKey,
    registered: true,
    inboxCursor: 0n,
    nextEvent: 1n,
  }
}

export const makeIdentity = (name: string) => new Identity(profileOf(name), suite)
export const basic = (name: string) => ({ type: "basic", identity: new TextEncoder().encode(name) }) as const
