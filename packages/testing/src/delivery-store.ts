import assert from "node:assert/strict"
import { describe, it, type TestContext } from "node:test"
import { memoryStore } from "@conclave/delivery"
import type { Operated, Store } from "@conclave/delivery/store"
import fc from "fast-check"
import {
  admitted,
  append,
  bytes,
  listener,
  newEntry,
  operation,
  perform,
  type Referenced,
  referencedAnswer,
  referencedPart,
  sha256,
} from "./delivery-operations.js"
import { referenceStore } from "./delivery-reference.js"

/** Operations as far as the reference does them, at a store and at the reference, as a test of `node:test`. */
export function referenceConformance(
  open: (test: TestContext) => (Referenced & Partial<AsyncDisposable>) | Promise<Referenced & Partial<AsyncDisposable>>,
  numRuns: number,
): void {
  it("answers every sequence of operations as the reference of 150 lines does", async (test) => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 20, maxLength: 120 }), async (operations) => {
        const real = await open(test)
        const reference = referenceStore(sha256)
        for (const [index, operation] of operations.flatMap(referencedPart).entries()) {
          const at = BigInt(1000 + index * 10)
          const [told, expected] = [
            await referencedAnswer(real, operation, at),
            await referencedAnswer(reference, operation, at),
          ]
          assert.deepEqual(told, expected)
        }
        await real[Symbol.asyncDispose]?.()
      }),
      { numRuns, includeErrorInReport: true },
    )
  })
}

/**
 * What every store of the Delivery Service has to do, as tests of `node:test`: it answers as `memoryStore`, the model, does.
 * `open` is called for each sequence of operations anew, and makes an empty store.
 */
export function storeConformance(
  name: string,
  open: (test: TestContext) => (Store & Operated) | Promise<Store & Operated>,
): void {
  describe(`a store of ${name} and the model of it`, () => {
    // A database of its own for each run takes its time.
    referenceConformance(open, 30)

    it("answer every sequence of operations alike", async (test) => {
      await fc.assert(
        fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 80 }), async (operations) => {
          await using real = await open(test)
          const model = memoryStore(sha256)
          const listeners = [listener(real), listener(model)]
          for (const listen of listeners) assert.deepEqual(await listen(), [])
          let swept = false
          for (const [index, operation] of operations.entries()) {
            const at = BigInt(1000 + index * 10)
            if (operation.do === "news") {
              const [told, expected] = [await listeners[0]!(), await listeners[1]!()]
              // Where the newest rows were deleted, it tells of more than there is.
              for (const name of expected) assert.ok(told.includes(name), `${told} without ${name}`)
              if (!swept) assert.deepEqual(told, expected)
              continue
            }
            swept ||= operation.do === "sweep" || operation.do === "close"
            assert.deepEqual(await perform(real, operation, at), await perform(model, operation, at))
          }
        }),
        { numRuns: 100, includeErrorInReport: true },
      )
    })

    it("answer operations that come together as if they had come one after the other", async (test) => {
      await fc.assert(
        fc.asyncProperty(fc.array(newEntry, { minLength: 5, maxLength: 40 }), async (entries) => {
          await using real = await open(test)
          const model = memoryStore(sha256)
          const createAll = (store: Store) =>
            Promise.all(
              [..."abc"].map((name) =>
                store.createGroup({
                  groupId: bytes(`group ${name}`),
                  idempotencyId: bytes("id", 16),
                  requestHash: bytes("hash"),
                  accessKey: bytes("access key 1"),
                  at: 1n,
                  admit: admitted,
                }),
              ),
            )
          await createAll(real)
          await createAll(model)
          const appendAll = (store: Store) => Promise.all(entries.map((entry) => append(store, entry, 2n)))
          assert.deepEqual(await appendAll(real), await appendAll(model))
        }),
        { numRuns: 50, includeErrorInReport: true },
      )
    })

    it("registers a key once in a group, and answers a repetition before it looks at the key", async (test) => {
      const store = await open(test)
      test.after(() => store[Symbol.asyncDispose]())
      const [groupId, first] = [bytes("group"), bytes("access key 1")]
      const common = { groupId, requestHash: bytes("hash"), at: 1n, admit: admitted }
      await store.createGroup({ ...common, idempotencyId: bytes("0", 16), accessKey: first })
      const commitOf = (name: string, accessKey: Uint8Array, after: bigint) =>
        store.append({
          ...common,
          key: first,
          permit: admitted,
          idempotencyId: bytes(name, 16),
          kind: "commit",
          epoch: 0n,
          body: bytes(`body of ${name}`),
          after,
          pastCommitsMax: 1,
          commit: {
            welcome: bytes("welcome"),
            recipients: [bytes("device")],
            unserved: [],
            begins: { accessKey, removes: false },
            answers: undefined,
            knocksSince: 0n,
            inboxEntriesMax: 4,
            inboxEntriesPerGroupMax: 4,
            sender: bytes("sender", 8),
            mayDeliver: () => true,
          },
        })
      const [second, third] = [bytes("access key 2"), bytes("access key 3")]
      assert.equal((await commitOf("first key", first, 0n)).type, "keyReused")
      assert.equal((await commitOf("second key", second, 0n)).type, "accepted")
      assert.equal((await commitOf("second key", second, 0n)).type, "accepted")
      assert.equal((await commitOf("third key", third, 1n)).type, "accepted")
      // Of the group, of an interval that is over, and of the newest; and what is stale is told that.
      for (const key of [first, second, third]) assert.equal((await commitOf("again", key, 2n)).type, "keyReused")
      assert.equal((await commitOf("again", second, 1n)).type, "stale")
      const shown = { groupId, key: third, permit: admitted }
      assert.deepEqual(await store.standing(shown), {
        type: "standing",
        later: 0,
        seq: 2n,
        formerSince: undefined,
        reach: undefined,
        headSeq: 2n,
        lastCommitSeq: 2n,
        beside: 0n,
      })
      assert.equal(await store.inboxHead(bytes("device")), 2n)
      // In another group it is another key.
      const other = { ...common, groupId: bytes("other"), idempotencyId: bytes("0", 16), accessKey: third }
      assert.equal(await store.createGroup(other), "created")
    })

    it("tells of what is new also where the newest rows were deleted before", async (test) => {
      const store = await open(test)
      test.after(() => store[Symbol.asyncDispose]())
      const group = { requestHash: bytes("hash"), accessKey: bytes("access key"), admit: admitted }
      const shown = { key: bytes("access key"), permit: () => undefined }
      const entry = {
        kind: "application",
        epoch: 0n,
        body: bytes("body"),
        after: 0n,
        pastCommitsMax: 1,
        ...shown,
      } as const
      const listen = listener(store)
      const say = async (name: string, count: number, at: bigint) => {
        await store.createGroup({ ...group, groupId: bytes(name), idempotencyId: bytes("id", 16), at })
        for (let number = 0; number < count; number++) {
          const idempotencyId = bytes(`${number}`, 16)
          const names = { groupId: bytes(name), idempotencyId, requestHash: bytes("hash") }
          await store.append({ ...entry, ...names, commit: undefined, admit: admitted, at })
        }
      }
      await listen()
      await say("old", 3, 1n)
      assert.equal((await listen()).length, 1)
      await store.sweep({ at: 5n, messages: 5n, log: 5n, inbox: 5n, groups: 5n, knocks: 5n, rowsMax: 100 })
      await say("new", 1, 9n)
      assert.deepEqual(await listen(), [Buffer.from(bytes("new")).toString("hex")])
      assert.deepEqual(await listen(), [])
    })

    it("keeps the first identity that it is given, and each handover with it", async (test) => {
      const store = await open(test)
      test.after(() => store[Symbol.asyncDispose]())
      const made = (name: string) => ({
        seed: bytes(`seed ${name}`),
        passSecret: bytes(`secret ${name}`),
        incarnation: 1n,
        handovers: [],
      })
      assert.deepEqual(await Promise.all([store.identity(made("1")), store.identity(made("2"))]), [
        made("1"),
        made("1"),
      ])
      const handover = (incarnation: bigint) => ({
        by: bytes("key"),
        key: bytes("key"),
        incarnation,
        signature: bytes("signature", 20),
      })
      await store.raiseIncarnation(handover(2n))
      await store.raiseIncarnation(handover(3n))
      const raised = { ...made("1"), incarnation: 3n, handovers: [handover(2n), handover(3n)] }
      assert.deepEqual(await store.identity(made("3")), raised)
    })

    it("hands out no key package for single use that was published before the incarnation was raised", async (test) => {
      const store = await open(test)
      test.after(() => store[Symbol.asyncDispose]())
      await store.identity({ seed: bytes("seed"), passSecret: bytes("secret"), incarnation: 1n, handovers: [] })
      const owner = { deviceId: bytes("device"), signatureKey: bytes("key"), cipherSuite: 1, at: 1n }
      const keyPackage = (name: string) => ({ ref: bytes(name), keyPackage: bytes(name, 40), notAfter: 100n })
      const publish = (name: string) =>
        store.publishKeyPackages({
          ...{ ...owner, keyPackages: [keyPackage(name)], lastResort: keyPackage("last"), stockMax: 10 },
          ...{ replaces: false, withdrawnUntil: 0n },
        })
      const claim = () => store.claimKeyPackage({ ...owner, lowStock: 0, lastResortOnly: false })
      await publish("before")
      const signature = bytes("signature", 20)
      await store.raiseIncarnation({ by: bytes("key"), key: bytes("key"), incarnation: 2n, signature })
      assert.deepEqual(await claim(), { keyPackage: bytes("last", 40), lastResort: true })
      assert.deepEqual(await publish("before"), { count: 0, lastResort: true })
      assert.deepEqual(await publish("after"), { count: 1, lastResort: true })
      assert.deepEqual(await claim(), { keyPackage: bytes("after", 40), lastResort: false })
    })
  })
}
