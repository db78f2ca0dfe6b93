import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { encode } from "@conclave/codec"
import { deliveryRequests } from "@conclave/contracts/delivery"
import { logChainHash, logChainStart } from "@conclave/contracts/log-chain"
import { MLSMessage } from "@conclave/mls/wire"
import {
  type BareRequest,
  commitRequest,
  createDevice,
  createGroup,
  createGroupRequest,
  createService,
  expectType,
  messageRequest,
  privateMessage,
  proved,
  random,
  sha256,
  welcome,
  withAccess,
} from "@conclave/testing/delivery"
import { stores } from "./stores.js"

for (const [name, openStore] of Object.entries(stores)) {
  describe(`appending to a group's log (${name})`, () => {
    it("looks up the recipients of a commit that it may accept, and nobody's for one that it cannot", async (test) => {
      const [bob, carol] = [createDevice(), createDevice()]
      let asked = 0
      const directory = async ({ length }: Uint8Array) => {
        asked++
        return length === 0 ? undefined : { cipherSuite: 1, signatureKey: bob.key.publicKey }
      }
      const service = createService(openStore(test), { directory })
      const groupId = await createGroup(service)
      const recipients = [bob, carol]
      const commit = commitRequest(groupId, 0n, { recipients })
      assert.equal(expectType(await service.ask(commit), "accepted").seq, 1n)
      assert.equal(asked, 2)
      for (const after of [0n, 2n]) {
        const answer = await service.ask(commitRequest(groupId, 0n, { recipients, after }))
        assert.deepEqual(answer, { type: "stale", lastCommitSeq: 1n, headSeq: 1n })
      }
      expectType(await service.ask(commitRequest(random(32), 0n, { recipients })), "notFound")
      assert.equal(expectType(await service.ask(commit), "accepted").seq, 1n)
      assert.equal(asked, 2)
    })

    it("of fifty commits that race for one place exactly one is accepted, and the others learn who won", async (test) => {
      const service = createService(openStore(test))
      const groupId = await createGroup(service)
      const commits = Array.from({ length: 50 }, () => commitRequest(groupId, 0n))
      const answers = await Promise.all(commits.map(service.ask))
      const accepted = answers.filter((answer) => answer.type === "accepted")
      const stale = answers.filter((answer) => answer.type === "stale")
      assert.equal(accepted.length, 1)
      assert.equal(stale.length, 49)
      for (const answer of stale) assert.deepEqual(answer, { type: "stale", lastCommitSeq: 1n, headSeq: 1n })
      const winner = commits[answers.findIndex((answer) => answer.type === "accepted")]!
      const read = expectType(await service.ask({ type: "read", groupId, afterSeq: 0n, limit: 100 }), "entries")
      assert.deepEqual(
        read.entries.map((entry) => entry.body),
        [winner.body],
      )
    })

    it("a retry gets the first answer byte for byte, whatever came in between, and appends nothing", async (test) => {
      const service = createService(openStore(test))
      const groupId = await createGroup(service)
      const first = deliveryRequests.encode(withAccess(messageRequest(groupId, 0n)))
      const commit = deliveryRequests.encode(withAccess(commitRequest(groupId, 0n)))
      const answers = [await service.askBytes(first), await service.askBytes(commit)]
      for (let epoch = 1n; epoch < 8n; epoch++) {
        expectType(await service.ask(commitRequest(groupId, epoch, { after: epoch + 1n })), "accepted")
      }
      service.clock.now += 1000
      assert.deepEqual([await service.askBytes(first), await service.askBytes(commit)], answers)
      const head = expectType(await service.ask({ type: "head", groupId }), "head")
      assert.deepEqual([head.headSeq, head.lastCommitSeq], [9n, 9n])
    })

    it("an idempotency id that comes back with other bytes is refused", async (test) => {
      const service = createService(openStore(test))
      const groupId = await createGroup(service)
      const request = messageRequest(groupId, 0n)
      await service.ask(request)
      const other = { ...messageRequest(groupId, 0n), idempotencyId: request.idempotencyId }
      assert.match(expectType(await service.ask(other), "invalid").reason, /idempotencyId/)
      assert.equal(expectType(await service.ask({ type: "head", groupId }), "head").headSeq, 1n)
    })

    it("whatever epoch a commit claims, it is accepted if and only if its author has read the last one", async (test) => {
      const service = createService(openStore(test))
      const groupId = await createGroup(service)
      expectType(await service.ask(commitRequest(groupId, 7n, { after: 0n })), "accepted")
      for (const after of [0n, 2n, 2n ** 64n - 1n]) {
        const stale = await service.ask(commitRequest(groupId, 0n, { after }))
        assert.deepEqual(stale, { type: "stale", lastCommitSeq: 1n, headSeq: 1n })
      }
      expectType(await service.ask(commitRequest(groupId, 0n, { after: 1n })), "accepted")
    })

    it("a commit refused as stale is sent again unchanged but for `after`, and then repeated, has one place", async (test) => {
      const service = createService(openStore(test))
      const groupId = await createGroup(service)
      const slow = commitRequest(groupId, 0n)
      await service.ask(commitRequest(groupId, 0n))
      expectType(await service.ask(slow), "stale")
      const accepted = expectType(await service.ask({ ...slow, after: 1n }), "accepted")
      assert.equal(accepted.seq, 2n)
      assert.deepEqual(await service.ask({ ...slow, after: 1n }), accepted)
      assert.deepEqual(await service.ask(slow), accepted)
    })

    it("a message passes with up to six commits that its author had not read, a proposal with none", async (test) => {
      const service = createService(openStore(test))
      const groupId = await createGroup(service)
      for (let epoch = 0n; epoch < 8n; epoch++) await service.ask(commitRequest(groupId, epoch))
      assert.equal(expectType(await service.ask(messageRequest(groupId, 2n)), "accepted").seq, 9n)
      const stale = { type: "stale", lastCommitSeq: 8n, headSeq: 9n }
      assert.deepEqual(await service.ask(messageRequest(groupId, 1n)), stale)
      assert.deepEqual(await service.ask(messageRequest(groupId, 9n)), stale)
      const proposal = { ...messageRequest(groupId, 7n), kind: "proposal" } as const
      const body = privateMessage({ groupId, epoch: 7n, kind: "proposal" })
      assert.deepEqual(await service.ask({ ...proposal, body }), stale)
      expectType(await service.ask({ ...proposal, body, after: 8n }), "accepted")
    })

    it("the log is one chain that everybody can compute again", async (test) => {
      const service = createService(openStore(test))
      const groupId = await createGroup(service)
      const empty = expectType(await service.ask({ type: "head", groupId }), "head")
      assert.deepEqual([empty.headSeq, empty.lastCommitSeq], [0n, 0n])
      assert.deepEqual(empty.chainHash, logChainStart(sha256, groupId))
      await service.ask(messageRequest(groupId, 0n))
      const accepted = expectType(await service.ask(commitRequest(groupId, 0n)), "accepted")
      const { entries } = expectType(await service.ask({ type: "read", groupId, afterSeq: 0n, limit: 9 }), "entries")
      let chainHash = logChainStart(sha256, groupId)
      for (const entry of entries) {
        chainHash = logChainHash(sha256, chainHash, entry)
        assert.deepEqual(entry.chainHash, chainHash)
      }
      assert.deepEqual(accepted.chainHash, chainHash)
      assert.deepEqual(expectType(await service.ask({ type: "head", groupId }), "head").chainHash, chainHash)
    })

    it("a page is bounded in bytes, and a body longer than a page still comes through", async (test) => {
      const service = createService(openStore(test), { limits: { pageSizeMax: 10_000 } })
      const groupId = await createGroup(service)
      for (const size of [4000, 4000, 4000, 50_000, 100]) await service.ask(messageRequest(groupId, 0n, { size }))
      const seqs: string[] = []
      for (let afterSeq = 0n; afterSeq < 5n; ) {
        const { entries } = expectType(await service.ask({ type: "read", groupId, afterSeq, limit: 100 }), "entries")
        seqs.push(entries.map((entry) => entry.seq).join(" "))
        afterSeq = entries.at(-1)!.seq
      }
      assert.deepEqual(seqs, ["1 2", "3", "4", "5"])
    })

    it("a commit and its welcomes are visible together", async (test) => {
      const service = createService(openStore(test))
      const groupId = await createGroup(service)
      const [bob, carol] = [service.register(createDevice()), service.register(createDevice())]
      const commit = commitRequest(groupId, 0n, { recipients: [bob, carol] })
      expectType(await service.ask(commit), "accepted")
      for (const device of [bob, carol]) {
        const inbox = expectType(
          await service.ask(proved(device, { type: "inbox", after: 0n, limit: 10 })),
          "inboxEntries",
        )
        assert.equal(inbox.head, 1n)
        const [entry] = inbox.entries
        assert.deepEqual([entry?.kind, entry?.groupId, entry?.seq, entry?.n], ["welcome", groupId, 1n, 1n])
        assert.deepEqual([entry?.body, entry?.ratchetTree], [commit.commit!.welcome, undefined])
      }
    })

    it("a commit that lost the race leaves nothing in anybody's inbox", async (test) => {
      const service = createService(openStore(test))
      const groupId = await createGroup(service)
      const bob = service.register(createDevice())
      await service.ask(commitRequest(groupId, 0n))
      expectType(await service.ask(commitRequest(groupId, 0n, { recipients: [bob] })), "stale")
      const inbox = await service.ask(proved(bob, { type: "inbox", after: 0n, limit: 10 }))
      assert.deepEqual(inbox, { type: "inboxEntries", entries: [], head: 0n })
    })

    it("a group is created once; the creator's retry is told the same, anybody else that it exists", async (test) => {
      const service = createService(openStore(test))
      const request = createGroupRequest(random(32))
      assert.deepEqual(await service.ask(request), { type: "done" })
      await service.ask(commitRequest(request.groupId, 0n))
      assert.deepEqual(await service.ask(request), { type: "done" })
      assert.deepEqual(await service.ask(createGroupRequest(request.groupId)), { type: "alreadyExists" })
    })
  })
}

describe("what is public in a message must say what the request says", () => {
  const groupId = random(32)
  const good = messageRequest(groupId, 0n)
  const commit = commitRequest(groupId, 0n)
  const bob = createDevice()
  const publicApplication = encode(MLSMessage, {
    version: "mls10",
    wireFormat: {
      type: "mlsPublicMessage",
      publicMessage: {
        content: {
          groupId,
          epoch: 0n,
          sender: { type: "external", senderIndex: 0 },
          authenticatedData: random(3),
          contentType: { type: "application", applicationData: random(9) },
        },
        auth: { signature: random(64) },
      },
    },
  })
  const withParts = (parts: Partial<NonNullable<typeof commit.commit>>) => ({
    ...commit,
    commit: { ...commit.commit!, ...parts },
  })
  const wrong: Readonly<Record<string, [BareRequest, RegExp]>> = {
    "a body of another group": [{ ...good, body: messageRequest(random(32), 0n).body }, /another group/],
    "a body of another epoch": [{ ...good, body: messageRequest(groupId, 7n).body }, /epoch 7/],
    "a commit sent as a message": [{ ...good, body: commit.body }, /kind commit/],
    "a Welcome as a body": [{ ...good, body: welcome(1) }, /neither/],
    "no MLSMessage at all": [{ ...good, body: random(50) }, /body/],
    "a body cut short": [{ ...good, body: good.body.subarray(0, -1) }, /body/],
    "application data that is not encrypted": [{ ...good, body: publicApplication }, /encrypted/],
    "a commit without its parts": [{ ...commit, commit: undefined }, /parts of a commit/],
    "a message with the parts of a commit": [{ ...good, commit: commit.commit }, /parts of a commit/],
    "an interval whose key is none": [
      withParts({ begins: { accessKey: new Uint8Array(32), removes: true } }),
      /accessKey: it is no Ed25519 public key/,
    ],
    "a Welcome without recipients": [withParts({ welcome: welcome(1) }), /recipients/],
    "a Welcome for fewer than its recipients": [
      withParts({ welcome: welcome(1), recipients: [bob, createDevice()] }),
      /fewer/,
    ],
    "a recipient named twice": [withParts({ welcome: welcome(2), recipients: [bob, bob] }), /twice/],
    "an idempotency id of 15 bytes": [{ ...good, idempotencyId: random(15) }, /16 bytes/],
    "the id of no group": [messageRequest(new Uint8Array(), 0n), /groupId: it has 1 to 64 bytes/],
    "a group's id of 65 bytes": [messageRequest(random(65), 0n), /groupId: it has 1 to 64 bytes/],
  }
  for (const [what, [request, reason]] of Object.entries(wrong)) {
    it(`${what} is refused, and the log stays as it is`, async (test) => {
      const service = createService(stores.SQLite!(test))
      expectType(await service.ask(createGroupRequest(groupId)), "done")
      assert.match(expectType(await service.ask(request), "invalid").reason, reason)
      const { headSeq, chainHash } = expectType(await service.ask({ type: "head", groupId }), "head")
      assert.deepEqual([headSeq, chainHash], [0n, logChainStart(sha256, groupId)])
    })
  }

  const group = createGroupRequest(random(32))
  const wrongGroups: Readonly<Record<string, [typeof group, RegExp]>> = {
    "without an id": [createGroupRequest(new Uint8Array()), /groupId: it has 1 to 64 bytes/],
    "with an id of 65 bytes": [createGroupRequest(random(65)), /groupId: it has 1 to 64 bytes/],
    "with an idempotency id of 17 bytes": [{ ...group, idempotencyId: random(17) }, /idempotencyId: it has 16 bytes/],
    "with a key that is none": [{ ...group, accessKey: new Uint8Array(32) }, /accessKey: it is no Ed25519 public key/],
  }
  for (const [what, [request, reason]] of Object.entries(wrongGroups)) {
    it(`a group ${what} is not made`, async (test) => {
      const service = createService(stores.SQLite!(test))
      assert.match(expectType(await service.ask(request), "invalid").reason, reason)
      expectType(await service.ask({ type: "head", groupId: request.groupId }), "notFound")
    })
  }

  it("a message for a group that nobody has made is told so, and makes none", async (test) => {
    const service = createService(stores.SQLite!(test))
    const request = messageRequest(random(32), 0n)
    const notFound = { type: "notFound", groupId: request.groupId }
    assert.deepEqual(await service.ask(request), notFound)
    assert.deepEqual(await service.ask({ type: "head", groupId: request.groupId }), notFound)
  })

  it("groups are made at a limited rate", async (test) => {
    const service = createService(stores.SQLite!(test), { limits: { creations: { perSecond: 1, burst: 1 } } })
    await createGroup(service)
    const throttled = await service.ask(createGroupRequest(random(32)))
    assert.deepEqual(throttled, { type: "throttled", retryAfterMilliseconds: 1000 })
    service.clock.now += 1000
    await createGroup(service)
  })

  it("of one requester too many groups are throttled, and nobody else's", async (test) => {
    const creationsByRequester = { perSecond: 1, burst: 1 }
    const service = createService(stores.SQLite!(test), { limits: { creationsByRequester } })
    expectType(await service.askAs("04c00002", createGroupRequest(random(32))), "done")
    expectType(await service.askAs("04c00002", createGroupRequest(random(32))), "throttled")
    expectType(await service.askAs("04c63364", createGroupRequest(random(32))), "done")
    expectType(await service.ask(createGroupRequest(random(32))), "done")
  })

  it("a message over the limit is told the limit", async (test) => {
    const service = createService(stores.SQLite!(test), { limits: { messageSizeMax: 2000 } })
    const groupId = await createGroup(service)
    assert.deepEqual(await service.ask(messageRequest(groupId, 0n, { size: 2000 })), { type: "tooLarge", max: 2000 })
  })

  it("a group that appends faster than its rate is told when to come back, and others are not", async (test) => {
    const limits = { appends: { perSecond: 2, burst: 3 } }
    const service = createService(stores.SQLite!(test), { limits })
    const [busy, calm] = [await createGroup(service), await createGroup(service)]
    for (let i = 0; i < 3; i++) expectType(await service.ask(messageRequest(busy, 0n)), "accepted")
    const throttled = expectType(await service.ask(messageRequest(busy, 0n)), "throttled")
    assert.equal(throttled.retryAfterMilliseconds, 500)
    expectType(await service.ask(messageRequest(calm, 0n)), "accepted")
    service.clock.now += 500
    expectType(await service.ask(messageRequest(busy, 0n)), "accepted")
  })
})

describe("a long log", () => {
  it("of ten thousand entries is read by pages, each entry once and in order", async (test) => {
    const service = createService(stores.SQLite!(test), { limits: { appends: { perSecond: 1e6, burst: 1e6 } } })
    const groupId = await createGroup(service)
    for (let sent = 0; sent < 10_000; sent += 1000) {
      await Promise.all(Array.from({ length: 1000 }, () => service.ask(messageRequest(groupId, 0n))))
    }
    let afterSeq = 0n
    let pages = 0
    for (; ; pages++) {
      const page = expectType(await service.ask({ type: "read", groupId, afterSeq, limit: 65_535 }), "entries")
      assert.equal(page.headSeq, 10_000n)
      for (const entry of page.entries) assert.equal(entry.seq, ++afterSeq)
      if (afterSeq === page.headSeq) break
      assert.ok(page.entries.length > 0 && page.entries.length <= 500)
    }
    assert.equal(pages, 19)
  })
})
