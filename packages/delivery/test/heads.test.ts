import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { encode } from "@conclave/codec"
import {
  LOG_HEAD_LABEL,
  LogHead,
  SERVICE_KEY_LABEL,
  type ServiceIdentity,
  ServiceKeyTBS,
} from "@conclave/contracts/heads"
import { cipherSuite, verifyWithLabel } from "@conclave/mls"
import {
  accessKeyOf,
  commitRequest,
  createGroup,
  createService,
  crypto,
  expectType,
  messageRequest,
  NOW,
  type TestService,
} from "@conclave/testing/delivery"
import { raiseIncarnation, sweepOnce } from "../src/index.js"
import { stores } from "./stores.js"

interface Word {
  readonly seq: bigint
  readonly chainHash: Uint8Array
  readonly incarnation: bigint
  readonly signature: Uint8Array
}

function holds(identity: ServiceIdentity, groupId: Uint8Array, { signature, ...head }: Word): boolean {
  const content = encode(LogHead, { groupId, ...head })
  const signed = { publicKey: identity.key, label: LOG_HEAD_LABEL, content, signature }
  return verifyWithLabel(cipherSuite(1, crypto), signed)
}

const identityOf = async (service: TestService) =>
  expectType(await service.ask({ type: "service" }), "service").identity

for (const [name, openStore] of Object.entries(stores)) {
  describe(`the service's word for a log (${name})`, () => {
    it("is given for what is accepted, for what is read and for the head, and is one word", async (test) => {
      const service = createService(openStore(test))
      const groupId = await createGroup(service)
      const identity = await identityOf(service)
      assert.deepEqual([identity.incarnation, identity.handovers], [1n, []])
      const empty = expectType(await service.ask({ type: "head", groupId }), "head")
      assert.ok(holds(identity, groupId, { ...empty, seq: 0n }))
      const accepted = expectType(await service.ask(messageRequest(groupId, 0n)), "accepted")
      assert.ok(holds(identity, groupId, accepted))
      const committed = expectType(await service.ask(commitRequest(groupId, 0n, { interval: 1 })), "accepted")
      assert.ok(holds(identity, groupId, committed))
      const read = { type: "read", groupId, afterSeq: 0n } as const
      for (const [limit, word] of [[1, accepted] as const, [9, committed] as const]) {
        const page = expectType(await service.ask({ ...read, limit }), "entries")
        assert.deepEqual([page.signature, page.incarnation], [word.signature, 1n])
      }
      const head = expectType(await service.ask({ type: "head", groupId }), "head")
      assert.deepEqual([head.signature, head.incarnation, head.headSeq], [committed.signature, 1n, 2n])
      const nothing = expectType(await service.ask({ ...read, afterSeq: 2n, limit: 9 }), "entries")
      assert.deepEqual([nothing.signature, nothing.incarnation], [new Uint8Array(), 1n])
      // Of another group, of another place, of another hash, it says nothing.
      const other = await createGroup(service)
      assert.ok(!holds(identity, other, accepted))
      assert.ok(!holds(identity, groupId, { ...accepted, seq: 2n }))
      assert.ok(!holds(identity, groupId, { ...accepted, incarnation: 2n }))
      assert.ok(!holds(identity, groupId, { ...accepted, chainHash: committed.chainHash }))
    })

    it("is never of two groups with one id: that of a group which has expired is not used again", async (test) => {
      const service = createService(openStore(test))
      const groupId = await createGroup(service)
      const first = expectType(await service.ask(messageRequest(groupId, 0n)), "accepted")
      service.clock.now += 400 * 86_400_000
      await sweepOnce({ store: service.store, now: () => service.clock.now })
      const again = { type: "createGroup", groupId, idempotencyId: first.chainHash.subarray(0, 16) } as const
      expectType(await service.ask({ ...again, accessKey: accessKeyOf(groupId).publicKey }), "alreadyExists")
      expectType(await service.ask(messageRequest(groupId, 0n)), "notFound")
    })

    it("raises the incarnation to the time, so that one backup that is restored twice is two", async (test) => {
      const [one, two] = [openStore(test), openStore(test)]
      const made = { seed: crypto.random(32), passSecret: crypto.random(32), incarnation: 1n, handovers: [] }
      for (const store of [one, two]) await store.identity(made)
      const first = await raiseIncarnation(one, crypto, { now: () => 1_800_000_000_000 })
      const second = await raiseIncarnation(two, crypto, { now: () => 1_800_000_001_000 })
      assert.deepEqual([first.incarnation, second.incarnation], [1_800_000_000n, 1_800_000_001n])
      const third = await raiseIncarnation(two, crypto, { now: () => 0 })
      assert.equal(third.incarnation, second.incarnation + 1n, "a clock that went back makes no older one")
    })

    it("is by a key that stays, and raising the incarnation is signed by it", async (test) => {
      const store = openStore(test)
      const [one, another] = [await identityOf(createService(store)), await identityOf(createService(store))]
      assert.deepEqual(one, another)
      const said = await raiseIncarnation(store, crypto, { now: () => 1_500 })
      const service = createService(store)
      assert.deepEqual(await identityOf(service), said)
      assert.deepEqual([said.key, said.incarnation, said.handovers.length], [one.key, 2n, 1])
      const { by, key, incarnation, signature } = said.handovers[0]!
      const content = encode(ServiceKeyTBS, { key, incarnation })
      const signed = { publicKey: by, label: SERVICE_KEY_LABEL, content, signature }
      assert.ok(verifyWithLabel(cipherSuite(1, crypto), signed))
      assert.deepEqual([by, key, incarnation], [one.key, one.key, 2n])
      const groupId = await createGroup(service)
      const accepted = expectType(await service.ask(messageRequest(groupId, 0n)), "accepted")
      assert.equal(accepted.incarnation, 2n)
      assert.ok(holds(said, groupId, accepted))
      assert.equal(expectType(await service.ask({ type: "service" }), "service").at, BigInt(NOW))
    })

    it("is raised to the incarnation that is asked for, and never to one that was", async (test) => {
      const store = openStore(test)
      const said = await raiseIncarnation(store, crypto, { to: 7n })
      assert.deepEqual([said.incarnation, said.handovers.map(({ incarnation }) => incarnation)], [7n, [7n]])
      for (const to of [0n, 6n, 7n, 1n << 63n])
        await assert.rejects(raiseIncarnation(store, crypto, { to }), RangeError)
      assert.deepEqual(await identityOf(createService(store)), said)
    })
  })
}
