import assert from "node:assert/strict"
import { describe, it, type TestContext } from "node:test"
import { memoryStore } from "@conclave/auth"
import type { Operated, Store } from "@conclave/auth/store"
import fc from "fast-check"

// Few names and devices, so that they meet.
const name = fc.constantFrom("alice", "bob")
const id = fc.constantFrom(1, 2, 3, 4, 5).map((number) => new Uint8Array(32).fill(number))
// Those of recovery keys beside those of devices: whoever signs has one of them.
const authorId = fc.constantFrom(1, 2, 3, 4, 5, 6, 7).map((number) => new Uint8Array(32).fill(number))
const recoveryId = fc.constantFrom(6, 7).map((number) => new Uint8Array(32).fill(number))
const endorsement = authorId.map((deviceId) => ({ deviceId, signature: new Uint8Array(64) }))
const revocation = fc.record({
  ...{ deviceId: id, signatureKey: id, revokerKey: authorId, at: fc.constantFrom(1n, 2n) },
  signature: fc.constant(new Uint8Array(64)),
})

const registration = fc
  .record({
    do: fc.constant("register" as const),
    name,
    ...{ deviceId: id, cipherSuite: fc.constantFrom(1, 2) },
    endorsement: fc.option(endorsement, { nil: undefined }),
    late: fc.constantFrom(0n, 30n),
    devicesMax: fc.constantFrom(1, 4),
  })
  .map((it) => ({ ...it, signatureKey: it.deviceId }))

const operation = fc.oneof(
  // What the rest is about.
  { weight: 5, arbitrary: registration },
  fc.record({ do: fc.constant("lookup" as const), name }),
  fc.record({ do: fc.constant("lookupDevice" as const), deviceId: id }),
  fc.record({
    do: fc.constant("setDisplayName" as const),
    name,
    displayName: fc.record({ text: fc.constantFrom("", "Alice"), at: fc.bigInt({ min: 0n, max: 5n }), deviceId: id }),
  }),
  fc.record({ do: fc.constant("displayName" as const), name }),
  fc.record({ do: fc.constant("suspend" as const), name, reason: fc.constantFrom("1", "2") }),
  fc.record({ do: fc.constant("resume" as const), name }),
  fc.record({ do: fc.constant("account" as const), name }),
  fc.record({ do: fc.constant("erase" as const), name, deviceId: authorId }),
  fc.record({ do: fc.constant("recoveryKeys" as const), name }),
  {
    weight: 2,
    arbitrary: fc.record({
      ...{ do: fc.constant("setRecoveryKey" as const), name, id: recoveryId },
      ...{ signerKey: authorId, at: fc.constantFrom(1n, 2n) },
    }),
  },
  fc.record({
    do: fc.constant("revoke" as const),
    name,
    // A device's key is its id again.
    revocations: fc.array(
      revocation.map((it) => ({ ...it, signatureKey: it.deviceId })),
      { minLength: 1, maxLength: 2 },
    ),
    endorsements: fc.array(fc.record({ deviceId: id, endorsement }), { maxLength: 1 }),
  }),
)
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never

/**
 * What every store of the Authentication Service has to do, as tests of `node:test`: it answers as `memoryStore`, the model,
 * does. `open` is called for each sequence of operations anew, and makes an empty store.
 */
export function storeConformance(
  name: string,
  open: (test: TestContext) => (Store & Operated) | Promise<Store & Operated>,
): void {
  describe(`a store of ${name} and the model of it`, () => {
    it("answer every sequence of operations alike", async (test) => {
      await fc.assert(
        fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 40 }), async (operations) => {
          const [real, model] = [await open(test), memoryStore()]
          for (const [at, operation] of operations.entries()) {
            const time = BigInt(1000 + at)
            assert.deepEqual(await perform(real, operation, time), await perform(model, operation, time))
          }
        }),
        { numRuns: 50, includeErrorInReport: true },
      )
    })
  })
}

async function erase(store: Store, { name, deviceId }: Extract<Operation, { do: "erase" }>, at: bigint) {
  const before = await store.isErased(deviceId)
  return [before, await store.erase(name, { deviceId, at }), await store.isErased(deviceId)]
}

function perform(store: Store & Operated, operation: Operation, at: bigint): Promise<unknown> {
  switch (operation.do) {
    case "register":
      // A clock that is set back.
      return store.register({ ...operation, at: at - operation.late })
    case "lookup":
      return store.lookup(operation.name)
    case "lookupDevice":
      return store.lookupDevice(operation.deviceId)
    case "setDisplayName":
      return store.setDisplayName(operation.name, { ...operation.displayName, signature: new Uint8Array(64) })
    case "displayName":
      return store.displayName(operation.name)
    case "suspend":
      return store.suspend(operation.name, operation.reason)
    case "resume":
      return store.resume(operation.name)
    case "account":
      return store.account(operation.name)
    case "erase":
      return erase(store, operation, at)
    case "recoveryKeys":
      return store.recoveryKeys(operation.name)
    case "setRecoveryKey": {
      const { name, id, signerKey, at } = operation
      // Each its own: a statement is known again by its signature.
      const signature = Uint8Array.of(...id, ...signerKey, Number(at))
      const statement = { recoveryKey: id, signerKey, at, signature, proof: new Uint8Array(64) }
      return store.setRecoveryKey(name, { id, statement })
    }
    case "revoke":
      return store.revoke(operation.name, operation)
  }
}
