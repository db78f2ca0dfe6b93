import assert from "node:assert/strict"
import { describe, it, type TestContext } from "node:test"
import { memoryPushStore } from "@conclave/delivery"
import type { NewRegistration, PushStore } from "@conclave/delivery/push"
import fc from "fast-check"
import { bytes } from "./delivery-operations.js"

const [groupName, name] = [fc.constantFrom("one", "other"), fc.constantFrom(..."abcd")]
const operation = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      ...{ do: fc.constant("register" as const), groupName, name, sender: fc.constantFrom("x", "y") },
      ...{ token: fc.constantFrom("t", "t", "u"), lifetime: fc.integer({ min: 1, max: 30 }) },
      key: fc.constantFrom("k", "l", undefined),
      ...{ version: fc.constantFrom("v", "w"), toldUpTo: fc.bigInt({ min: 0n, max: 2n }) },
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("remove" as const), groupName, name, token: fc.constantFrom("t", "u") }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("ofGroup" as const), groupName }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("claim" as const),
      groupName,
      names: fc.uniqueArray(name),
      ago: fc.integer({ min: 0, max: 9 }),
      ...{ version: fc.constantFrom("v", "w"), upTo: fc.bigInt({ min: 0n, max: 9n }) },
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      ...{ do: fc.constant("forget" as const), groupName, names: fc.uniqueArray(name) },
      version: fc.constantFrom("v", "w"),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("deleteOfGroup" as const), groupName }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("mark" as const), groupName }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("groups" as const), groupName }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("due" as const),
      ago: fc.integer({ min: -1, max: 9 }),
      limit: fc.constantFrom(1, 9),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("settle" as const), groupName, ago: fc.integer({ min: 0, max: 9 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("sweep" as const) }) },
)
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never

const idOf = (of: string) => bytes(of, 16)
const sorted = (ids: readonly Uint8Array[]) => ids.map((id) => Buffer.from(id).toString("hex")).sort()

function registration(asked: Extract<Operation, { do: "register" }>, at: bigint): NewRegistration {
  return {
    ...{ groupId: bytes(asked.groupName), id: idOf(asked.name), key: asked.key && bytes(asked.key) },
    ...{ kind: asked.name === "a" ? "webPush" : "webhook", endpoint: `https://${asked.name}.example.org/` },
    ...{ parameters: bytes(asked.name), removal: bytes(asked.token), sender: bytes(asked.sender, 8) },
    ...{ at, until: at + BigInt(asked.lifetime), version: bytes(asked.version, 8), toldUpTo: asked.toldUpTo },
    admit: ({ ofGroup, ofSender }) =>
      ofGroup >= 3 || ofSender >= 2 ? { type: "quotaExceeded", of: "group" } : undefined,
  }
}

async function perform(store: PushStore, operation: Operation, at: bigint): Promise<unknown> {
  const groupId = bytes("groupName" in operation ? operation.groupName : "one")
  switch (operation.do) {
    case "register":
      return store.register(registration(operation, at))
    case "remove":
      return store.remove({ groupId, id: idOf(operation.name), removal: bytes(operation.token) })
    case "ofGroup": {
      const found = await store.ofGroup({ groupId, at })
      return [...found].sort((a, b) => Buffer.compare(a.id, b.id))
    }
    case "claim": {
      const { names, version, upTo, ago } = operation
      const told = names.map((it) => ({ id: idOf(it), version: bytes(version, 8), upTo }))
      return sorted(await store.claim({ groupId, told, at, before: at - BigInt(ago) }))
    }
    case "forget": {
      const registrations = operation.names.map((it) => ({ id: idOf(it), version: bytes(operation.version, 8) }))
      return store.forget({ groupId, registrations })
    }
    case "deleteOfGroup":
      return store.deleteOfGroup(groupId)
    case "groups":
      return [
        ...(await store.groups({ after: new Uint8Array(), limit: 9 })),
        ...(await store.groups({ after: groupId, limit: 1 })),
      ]
    case "mark":
      return store.mark({ groupId, at })
    case "due":
      return store.due({ before: at - BigInt(operation.ago), limit: operation.limit })
    case "settle":
      return store.settle({ groupId, at: at - BigInt(operation.ago) })
    case "sweep":
      while ((await store.sweep({ at, rowsMax: 1 })).more);
      return undefined
  }
}

/** What every store of push registrations has to do: it answers as `memoryPushStore`, the model, does. */
export function pushStoreConformance(
  named: string,
  open: (test: TestContext) => PushStore | Promise<PushStore>,
  { numRuns = 60 } = {},
): void {
  describe(`a store of push registrations of ${named} and the model of it`, () => {
    it("answer every sequence of operations alike", async (test) => {
      await fc.assert(
        fc.asyncProperty(fc.array(operation, { minLength: 5, maxLength: 60 }), async (operations) => {
          await using real = await open(test)
          await using model = memoryPushStore()
          for (const [index, operation] of operations.entries()) {
            const at = BigInt(1_000 + index)
            assert.deepEqual(await perform(real, operation, at), await perform(model, operation, at), operation.do)
          }
        }),
        { numRuns, includeErrorInReport: true },
      )
    })

    it("gives each registration to one of many who claim it at once, and no more places than there are", async (test) => {
      await using store = await open(test)
      const asked = {
        do: "register",
        groupName: "one",
        sender: "x",
        token: "t",
        lifetime: 90,
        key: "k",
        version: "v",
        toldUpTo: 0n,
      } as const
      const told = await Promise.all(
        Array.from({ length: 8 }, (_, i) => store.register(registration({ ...asked, name: `${i}`, sender: "x" }, 1n))),
      )
      assert.equal(told.filter(({ type }) => type === "registered").length, 2)
      const groupId = bytes("one")
      const registered = await store.ofGroup({ groupId, at: 2n })
      const ids = registered.map(({ id }) => id)
      assert.equal(ids.length, 2)
      const claiming = registered.map(({ id, version }) => ({ id, version, upTo: 1n }))
      const claims = await Promise.all(
        Array.from({ length: 8 }, () => store.claim({ groupId, told: claiming, at: 10n, before: 5n })),
      )
      assert.deepEqual(sorted(claims.flat()), sorted(ids))
    })
  })
}
