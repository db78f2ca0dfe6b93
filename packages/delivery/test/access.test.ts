import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { type Access, noAccess } from "@conclave/contracts/access"
import {
  type DeliveryRequest,
  DeliveryRequestKind,
  type DeliveryResponse,
  deliveryRequests,
} from "@conclave/contracts/delivery"
import {
  accessKeyOf,
  type BareRequest,
  commitRequest,
  createDevice,
  createGroup,
  createGroupRequest,
  createService,
  crypto,
  expectType,
  groupRequests,
  keyPackage,
  messageRequest,
  NOW,
  privateMessage,
  proofOver,
  proved,
  random,
  type TestService,
  withAccess,
} from "@conclave/testing/delivery"
import { memoryBlobStore, memoryPushStore } from "../src/index.js"
import { stores } from "./stores.js"

const MINUTE = 60_000
const read = (groupId: Uint8Array, afterSeq = 0n) => ({ type: "read", groupId, afterSeq, limit: 100 }) as const
const head = (groupId: Uint8Array) => ({ type: "head", groupId }) as const
const seqsOf = (answer: DeliveryResponse) => expectType(answer, "entries").entries.map(({ seq }) => Number(seq))

/** Alice creates a group and says something; then a commit begins interval 1, which removes somebody or not. */
async function groupOfTwoIntervals(service: TestService, removes: boolean) {
  const groupId = await createGroup(service)
  const [first, second] = [accessKeyOf(groupId, 0), accessKeyOf(groupId, 1)]
  expectType(await service.ask(messageRequest(groupId, 0n)), "accepted")
  expectType(await service.ask(commitRequest(groupId, 0n, { interval: 1, removes })), "accepted")
  return { groupId, first, second }
}

/** One request of each kind of the contract, as somebody would make it who knows the group's id and nothing else. */
async function requestsOfStranger(service: TestService, groupId: Uint8Array) {
  const mallory = service.register(createDevice())
  const gone = new AbortController()
  const own = service.stream({ type: "subscribe", cursors: [], inboxAfter: 0n, proof: undefined }, gone.signal)
  const { subscription } = expectType((await own.next()).value!, "subscribed")
  const cursor = { groupId, afterSeq: 0n }
  const id = random(16)
  const publish = { type: "publishKeyPackages", cipherSuite: 1, lastResort: undefined, replaces: false } as const
  const requests: Readonly<Record<DeliveryRequest["type"], BareRequest>> = {
    publishKeyPackages: proved(mallory, { ...publish, keyPackages: [keyPackage(mallory)] }),
    claimKeyPackage: { type: "claimKeyPackage", deviceId: groupId, cipherSuite: 1 },
    countKeyPackages: proved(mallory, { type: "countKeyPackages", cipherSuite: 1 }),
    createGroup: createGroupRequest(groupId),
    append: commitRequest(groupId, 1n, { after: 2n, recipients: [mallory], interval: 9, removes: true }),
    read: read(groupId),
    head: head(groupId),
    inbox: proved(mallory, { type: "inbox", after: 0n, limit: 10 }),
    acknowledgeInbox: proved(mallory, { type: "acknowledgeInbox", upTo: 1n }),
    subscribe: { type: "subscribe", cursors: [cursor], inboxAfter: 0n, proof: undefined },
    extend: { type: "extend", subscription, cursor },
    knock: { type: "knock", groupId, id, sealed: random(100) },
    knocks: { type: "knocks", groupId },
    answer: { type: "answer", groupId, id },
    createBlob: {
      type: "createBlob",
      ...{ groupId, id: random(32), size: 1n, lifetimeSeconds: 60, deletion: random(32) },
    },
    putBlob: { type: "putBlob", groupId, id: random(32), offset: 0n, bytes: random(1), hash: undefined },
    readBlob: { type: "readBlob", id: random(32), offset: 0n, length: 1 },
    deleteBlob: { type: "deleteBlob", id: random(32), token: random(32) },
    signal: { type: "signal", groupId, body: random(9) },
    hear: { type: "hear", subscription },
    registerPush: {
      ...{ type: "registerPush", groupId, id, kind: "webhook", endpoint: "https://push.example.org/" },
      ...{ parameters: random(9), lifetimeSeconds: 60, removal: random(32) },
    } as BareRequest,
    removePush: { type: "removePush", groupId, id, token: random(32) },
    service: { type: "service" },
    policy: { type: "policy", groupId },
    setPolicy: { type: "setPolicy", groupId, replaces: 0n, wanted: { messages: 86_400, handshakes: undefined } },
    retire: { type: "retire", groupId, headSeq: 2n },
  }
  return { requests, mallory, end: () => gone.abort() }
}

for (const [name, openStore] of Object.entries(stores)) {
  describe(`access to a group's log (${name})`, { timeout: 120_000 }, () => {
    it("a stranger who knows a group's id can do nothing with it, by any request of the contract", async (test) => {
      const service = createService(openStore(test), {
        ...{ blobs: memoryBlobStore(), pushes: memoryPushStore() },
        pushSender: { send: () => assert.fail("nobody is to be woken") },
      })
      const { groupId, second } = await groupOfTwoIntervals(service, false)
      const { requests, mallory, end } = await requestsOfStranger(service, groupId)
      assert.deepEqual(Object.keys(requests).sort(), Object.keys(DeliveryRequestKind.values).sort())
      const before = await service.askWith(second, read(groupId))
      const strangers = crypto.signatures.Ed25519!.generate(random)
      const forged: Access = { ...proofOver(strangers, random(9)), key: second.publicKey }
      const pass: Access = { type: "pass", key: second.publicKey, until: BigInt(NOW + 1000), tag: random(32) }
      const expected: Readonly<Partial<Record<DeliveryRequest["type"], string>>> = {
        createGroup: "alreadyExists",
        claimKeyPackage: "notFound",
        append: "denied",
        read: "denied",
        head: "denied",
        extend: "denied",
        knock: "denied",
        knocks: "denied",
        answer: "denied",
        policy: "denied",
        setPolicy: "denied",
        retire: "denied",
        createBlob: "denied",
        putBlob: "denied",
        signal: "denied",
        registerPush: "denied",
        removePush: "notFound",
        readBlob: "notFound",
        deleteBlob: "notFound",
      }
      for (const [kind, request] of Object.entries(requests)) {
        // Without anything, with a key of one's own, with a forged proof and a forged pass of the true key.
        const shows = groupRequests.includes(kind)
        const accesses: readonly (Access | undefined)[] = shows ? [noAccess, undefined, forged, pass] : [undefined]
        for (const access of accesses) {
          const asked = access === undefined ? request : ({ ...request, access } as BareRequest)
          if (kind === "subscribe") continue
          const { type } = await service.askWith(strangers, asked)
          if (kind in expected)
            assert.equal(type, expected[kind as DeliveryRequest["type"]], `${kind} by ${access?.type}`)
        }
      }
      for (const access of [noAccess, undefined, forged, pass]) {
        const gone = new AbortController()
        const cursor = { groupId, afterSeq: 0n, ...(access && { access }) }
        const proving = withAccess({ ...requests.subscribe, cursors: [cursor] } as BareRequest, { key: strangers })
        const stream = service.stream(proving, gone.signal)
        expectType((await stream.next()).value!, "subscribed")
        expectType((await stream.next()).value!, "denied")
        // It is not watched either.
        const coming = stream.next()
        expectType(await service.askWith(second, messageRequest(groupId, 1n, { after: 2n })), "accepted")
        gone.abort()
        assert.equal((await coming).done, true)
      }
      const after = expectType(await service.askWith(second, read(groupId)), "entries")
      assert.deepEqual(after.entries.slice(0, 2), expectType(before, "entries").entries)
      assert.deepEqual(
        after.entries.slice(2).map(({ kind }) => kind),
        ["application", "application", "application", "application"],
      )
      assert.deepEqual(expectType(await service.askWith(second, { type: "knocks", groupId }), "knocks").knocks, [])
      const inbox = await service.ask(proved(mallory, { type: "inbox", after: 0n, limit: 10 }))
      assert.deepEqual(expectType(inbox, "inboxEntries").entries, [])
      end()
    })

    it("a stranger takes nothing of a group's rates from its members", async (test) => {
      const limits = { appends: { perSecond: 1, burst: 3 }, proposals: { perSecond: 1, burst: 3 } }
      const service = createService(openStore(test), { limits })
      const groupId = await createGroup(service)
      const strangers = crypto.signatures.Ed25519!.generate(random)
      for (let i = 0; i < 10; i++) expectType(await service.askWith(strangers, messageRequest(groupId, 0n)), "denied")
      for (let i = 0; i < 3; i++) expectType(await service.ask(messageRequest(groupId, 0n)), "accepted")
      expectType(await service.ask(messageRequest(groupId, 0n)), "throttled")
    })

    it("who was removed reads up to and including the removal, and appends nothing", async (test) => {
      const service = createService(openStore(test))
      const { groupId, first, second } = await groupOfTwoIntervals(service, true)
      expectType(await service.askWith(second, messageRequest(groupId, 1n, { after: 2n })), "accepted")
      expectType(await service.askWith(second, commitRequest(groupId, 2n, { interval: 2 })), "accepted")
      assert.deepEqual(seqsOf(await service.askWith(first, read(groupId))), [1, 2])
      assert.deepEqual(seqsOf(await service.askWith(first, read(groupId, 2n))), [])
      assert.equal(expectType(await service.askWith(first, read(groupId)), "entries").headSeq, 2n)
      const { headSeq, lastCommitSeq, chainHash } = expectType(await service.askWith(first, head(groupId)), "head")
      const { entries } = expectType(await service.askWith(second, read(groupId)), "entries")
      assert.deepEqual([headSeq, lastCommitSeq, chainHash], [2n, 2n, entries[1]!.chainHash])
      assert.deepEqual(
        entries.map(({ begins }) => begins?.removes),
        [undefined, true, undefined, false],
      )
      // Who has not read the removal is told to, and of nothing after it.
      const stale = { type: "stale", lastCommitSeq: 2n, headSeq: 2n }
      for (const request of [messageRequest(groupId, 0n), commitRequest(groupId, 0n)]) {
        assert.deepEqual(await service.askWith(first, request), stale)
        for (const after of [2n, 3n, 4n]) expectType(await service.askWith(first, { ...request, after }), "denied")
      }
      expectType(await service.askWith(first, { type: "knocks", groupId }), "denied")
      // The keys since then read everything.
      for (const interval of [1, 2]) {
        assert.deepEqual(seqsOf(await service.askWith(accessKeyOf(groupId, interval), read(groupId))), [1, 2, 3, 4])
      }
    })

    it("messages prove the former key for a minute, commits and proposals never", async (test) => {
      const service = createService(openStore(test))
      const { groupId, first, second } = await groupOfTwoIntervals(service, false)
      const message = () => messageRequest(groupId, 0n, { after: 2n })
      const proposal = () => {
        const body = privateMessage({ groupId, epoch: 0n, kind: "proposal" })
        return { ...message(), kind: "proposal", body } as const
      }
      service.clock.now += MINUTE - 1
      expectType(await service.askWith(first, message()), "accepted")
      for (const request of [proposal(), commitRequest(groupId, 1n, { after: 2n })]) {
        expectType(await service.askWith(first, request), "denied")
        assert.equal(expectType(await service.askWith(first, { ...request, after: 0n }), "stale").lastCommitSeq, 2n)
      }
      service.clock.now += 1
      expectType(await service.askWith(first, message()), "denied")
      expectType(await service.askWith(first, { ...message(), after: 0n }), "stale")
      expectType(await service.askWith(second, message()), "accepted")
      // The one before the former is none, however young.
      expectType(await service.askWith(second, commitRequest(groupId, 1n, { after: 2n, interval: 2 })), "accepted")
      expectType(await service.askWith(second, messageRequest(groupId, 1n, { after: 5n })), "accepted")
      expectType(await service.askWith(first, messageRequest(groupId, 1n, { after: 5n })), "denied")
    })

    it("no message proves the former key after a removal", async (test) => {
      const service = createService(openStore(test))
      const { groupId, first } = await groupOfTwoIntervals(service, true)
      expectType(await service.askWith(first, messageRequest(groupId, 0n, { after: 2n })), "denied")
    })

    it("a proof is good for its request, its group and its time, and nothing else", async (test) => {
      const service = createService(openStore(test))
      const [groupId, other] = [await createGroup(service), await createGroup(service)]
      const message = withAccess(messageRequest(groupId, 0n)) as Extract<DeliveryRequest, { type: "append" }>
      const reading = withAccess(read(groupId)) as Extract<DeliveryRequest, { type: "read" }>
      const wrong: Readonly<Record<string, BareRequest>> = {
        "of another group": { ...read(other), access: reading.access },
        "of another request": { ...head(groupId), access: reading.access },
        "of another message": { ...messageRequest(groupId, 0n), access: message.access },
        "of another place in the log": { ...reading, afterSeq: 1n },
        "of another `after`": { ...message, after: 1n },
        "by the key of another group": withAccess(read(groupId), { key: accessKeyOf(other) }),
        "with another time": { ...reading, access: { ...reading.access, at: BigInt(NOW + 1) } as Access },
        "over bytes without their version": {
          ...read(groupId),
          access: proofOver(
            accessKeyOf(groupId),
            deliveryRequests.encode({ ...read(groupId), access: noAccess }).subarray(1),
          ),
        },
      }
      for (const [what, request] of Object.entries(wrong)) {
        assert.equal((await service.ask(request)).type, "denied", what)
      }
      expectType(await service.ask(reading), "entries")
      const late = { type: "wrongTime", serviceTime: BigInt(NOW) }
      for (const at of [NOW - 5 * MINUTE - 1, NOW + 5 * MINUTE + 1]) {
        assert.deepEqual(await service.ask(withAccess(read(groupId), { at })), late)
        assert.deepEqual(await service.ask(withAccess(messageRequest(groupId, 0n), { at })), late)
        const gone = new AbortController()
        const cursors = [{ groupId, afterSeq: 0n }]
        const subscribe = withAccess({ type: "subscribe", cursors, inboxAfter: 0n, proof: undefined }, { at })
        const answers: DeliveryResponse[] = []
        for await (const answer of service.stream(subscribe, gone.signal)) answers.push(answer)
        assert.deepEqual(answers, [late])
      }
      for (const at of [NOW - 5 * MINUTE, NOW + 5 * MINUTE]) {
        expectType(await service.ask(withAccess(read(groupId), { at })), "entries")
      }
    })

    it("a copy of an append gets the first answer whatever it shows, also when the key is over, and appends nothing", async (test) => {
      const service = createService(openStore(test))
      const groupId = await createGroup(service)
      const message = withAccess(messageRequest(groupId, 0n)) as Extract<DeliveryRequest, { type: "append" }>
      const accepted = await service.ask(message)
      expectType(accepted, "accepted")
      expectType(await service.ask(commitRequest(groupId, 0n, { interval: 1, removes: true })), "accepted")
      service.clock.now += 10 * MINUTE
      for (const access of [message.access, noAccess]) {
        assert.deepEqual(await service.ask({ ...message, access }), accepted)
      }
      assert.deepEqual(seqsOf(await service.askWith(accessKeyOf(groupId, 1), read(groupId))), [1, 2])
      // The proof of a refused one is no proof for later: it is over.
      const refused = withAccess(messageRequest(groupId, 0n), { key: accessKeyOf(groupId, 1) })
      expectType(await service.ask(refused), "wrongTime")
    })

    it("a commit that loses a place leaves no key behind", async (test) => {
      const service = createService(openStore(test))
      const groupId = await createGroup(service)
      expectType(await service.ask(commitRequest(groupId, 0n)), "accepted")
      expectType(await service.ask(commitRequest(groupId, 0n, { interval: 7 })), "stale")
      expectType(await service.askWith(accessKeyOf(groupId, 7), read(groupId)), "denied")
    })

    it("a commit that registers a key of the group's again is refused, and changes nothing", async (test) => {
      const service = createService(openStore(test))
      const bob = service.register(createDevice())
      const groupId = await createGroup(service)
      const first = withAccess(commitRequest(groupId, 0n, { interval: 1 }))
      const accepted = await service.ask(first)
      const [second, newest] = [accessKeyOf(groupId, 1), accessKeyOf(groupId, 2)]
      expectType(await service.askWith(second, commitRequest(groupId, 1n, { interval: 2 })), "accepted")
      for (const interval of [0, 1, 2]) {
        const again = commitRequest(groupId, 2n, { interval, removes: true, recipients: [bob] })
        const { reason } = expectType(await service.askWith(newest, again), "invalid")
        assert.equal(reason, "accessKey: it was registered in this group before")
        // Only who may append is told so.
        expectType(await service.askWith(second, again), "denied")
        expectType(await service.askWith(newest, { ...again, after: 1n }), "stale")
      }
      assert.deepEqual(await service.ask(first), accepted)
      assert.deepEqual(seqsOf(await service.askWith(newest, read(groupId))), [1, 2])
      const inbox = await service.ask(proved(bob, { type: "inbox", after: 0n, limit: 10 }))
      assert.deepEqual(expectType(inbox, "inboxEntries").entries, [])
      // The refused commit has taken no place of the next one, and the same key is new to another group.
      const accessKey = accessKeyOf(groupId, 1).publicKey
      expectType(await service.ask({ ...createGroupRequest(random(32)), accessKey }), "done")
      expectType(await service.askWith(newest, commitRequest(groupId, 2n, { interval: 3 })), "accepted")
    })
  })
}

describe("who is denied too often", () => {
  it("waits with all that needs a proof, and nobody else does", async (test) => {
    const limits = { denialsByRequester: { perSecond: 1, burst: 3 } }
    const service = createService(stores.SQLite!(test), { limits })
    const groupId = await createGroup(service)
    const ask = (peer: string, request: BareRequest) => service.askAs(peer, request).then(({ type }) => type)
    const guess = { ...head(groupId), access: noAccess }
    const guesses: string[] = []
    for (let i = 0; i < 4; i++) guesses.push(await ask("mallory", guess))
    assert.deepEqual(guesses, ["denied", "denied", "denied", "throttled"])
    const subscribe = {
      type: "subscribe",
      cursors: [{ groupId, afterSeq: 0n }],
      inboxAfter: 0n,
      proof: undefined,
    } as const
    assert.equal(await ask("mallory", messageRequest(groupId, 0n)), "throttled")
    assert.equal(await ask("mallory", subscribe), "throttled")
    assert.equal(await ask("alice", messageRequest(groupId, 0n)), "accepted")
    service.clock.now += 1_000
    assert.equal(await ask("mallory", messageRequest(groupId, 0n)), "accepted")
  })
})
