import assert from "node:assert/strict"
import { describe, it, type TestContext } from "node:test"
import type { SigningKey } from "@conclave/crypto"
import {
  accessKeyOf,
  type BareRequest,
  commitRequest,
  createGroup,
  createService,
  expectType,
  messageRequest,
  random,
  sha256,
  type TestService,
} from "@conclave/testing/delivery"
import {
  type DeliveryLimits,
  memoryPushStore,
  memoryStore,
  type PushTarget,
  type RefusalKind,
  sweepOnce,
} from "../src/index.js"
import { pushStores, stores } from "./stores.js"

const quick = { pushDelayMilliseconds: 1, pushEveryMilliseconds: 40 }

interface Wanted {
  readonly groupId: Uint8Array
  readonly id: Uint8Array
  readonly token: Uint8Array
  readonly name: string
}

const wantedBy = (groupId: Uint8Array, name: string): Wanted => ({ groupId, id: random(16), token: random(32), name })
const registerRequest = ({ groupId, id, token, name }: Wanted, lifetimeSeconds = 3_600) =>
  ({
    type: "registerPush",
    ...{ groupId, id, kind: "webPush", endpoint: `https://push.example.org/${name}` },
    ...{ parameters: sha256(id), lifetimeSeconds, removal: sha256(token) },
  }) as const satisfies BareRequest
const removeRequest = ({ groupId, id, token }: Wanted) => ({ type: "removePush", groupId, id, token }) as const

async function until(isTrue: () => boolean): Promise<void> {
  for (let i = 0; i < 1_000 && !isTrue(); i++) await new Promise((resolve) => setTimeout(resolve, 10))
  assert.ok(isTrue(), `not within ten seconds: ${isTrue}`)
}
/** Longer than anything that is told takes. */
const quiet = () => new Promise((resolve) => setTimeout(resolve, 150))

/** A sender that notes whom it tells, and what. */
function noting(answer: (target: PushTarget) => Promise<"sent" | "gone"> = async () => "sent") {
  const told: string[] = []
  const targets: PushTarget[] = []
  const send = (target: PushTarget) => {
    targets.push(target)
    told.push(target.endpoint.slice("https://push.example.org/".length))
    return answer(target)
  }
  return { sender: { send }, told, targets, taken: () => told.splice(0).sort() }
}

for (const [name, openStore] of Object.entries(stores)) {
  const serviceOf = (test: TestContext, sender: ReturnType<typeof noting>["sender"]) => {
    const pushes = pushStores[name]!(test)
    return { ...createService(openStore(test), { pushes, pushSender: sender, limits: quick, now: Date.now }), pushes }
  }

  describe(`pushes (${name})`, { timeout: 60_000 }, () => {
    it("tell an endpoint that something is there and nothing else, and many entries at once together", async (test) => {
      const { sender, targets, taken } = noting()
      const service = serviceOf(test, sender)
      const groupId = await createGroup(service)
      const [alice, other] = [wantedBy(groupId, "alice"), wantedBy(await createGroup(service), "other")]
      for (const it of [alice, other]) expectType(await service.ask(registerRequest(it)), "done")
      const begun = Date.now()
      for (let i = 0; i < 60; i++) expectType(await service.ask(messageRequest(groupId, 0n)), "accepted")
      await until(() => targets.length > 0)
      await quiet()
      // At the beginning, for what came after that, and as often as 40 ms have passed meanwhile.
      const { length } = taken()
      assert.ok(length < 60 && length <= 2 + (Date.now() - begun) / 40, `told ${length} times`)
      const parameters = sha256(alice.id)
      assert.deepEqual(targets[0], { kind: "webPush", endpoint: "https://push.example.org/alice", parameters })
      // What comes while an endpoint rests is told when it may be told again.
      expectType(await service.ask(messageRequest(groupId, 0n)), "accepted")
      await until(() => targets.length > length)
      expectType(await service.ask(messageRequest(groupId, 0n)), "accepted")
      await until(() => targets.length > length + 1)
      taken()
      expectType(await service.ask(removeRequest({ ...alice, token: random(32) })), "denied")
      expectType(await service.ask(removeRequest(alice)), "done")
      expectType(await service.ask(removeRequest(alice)), "notFound")
      expectType(await service.ask(messageRequest(groupId, 0n)), "accepted")
      await quiet()
      assert.deepEqual(taken(), [])
    })

    it("of a removed member end with the removal, of which all are told for the last time with their old key", async (test) => {
      const { sender, told, taken } = noting()
      const service = serviceOf(test, sender)
      const groupId = await createGroup(service)
      const [first, second, third] = [0, 1, 2].map((interval) => accessKeyOf(groupId, interval)) as [
        SigningKey,
        SigningKey,
        SigningKey,
      ]
      const [alice, mallory] = [wantedBy(groupId, "alice"), wantedBy(groupId, "mallory")]
      for (const it of [alice, mallory]) expectType(await service.ask(registerRequest(it)), "done")
      // A commit that removes nobody leaves them as they are.
      expectType(await service.ask(commitRequest(groupId, 0n, { interval: 1 })), "accepted")
      await until(() => told.length === 2)
      await quiet()
      assert.deepEqual(taken(), ["alice", "mallory"])
      expectType(await service.askWith(first, registerRequest(wantedBy(groupId, "before"))), "done")
      await service.ask(removeRequest(wantedBy(groupId, "before")))
      expectType(await service.askWith(second, commitRequest(groupId, 1n, { interval: 2, removes: true })), "accepted")
      await until(() => told.length >= 3)
      await quiet()
      assert.deepEqual(taken(), ["alice", "before", "mallory"])
      expectType(await service.askWith(second, registerRequest(mallory)), "denied")
      expectType(await service.askWith(first, registerRequest(mallory)), "denied")
      expectType(await service.askWith(third, registerRequest(alice)), "done")
      for (let i = 0; i < 3; i++) {
        expectType(await service.askWith(third, messageRequest(groupId, 2n)), "accepted")
        await quiet()
      }
      assert.deepEqual([...new Set(taken())], ["alice"])
      // Nothing of the others is kept.
      assert.equal((await service.pushes.ofGroup({ groupId, at: BigInt(Date.now()) })).length, 1)
    })

    it("of a removal that nobody was told of are told of it with the next entry, and of nothing after it", async (test) => {
      const { sender, told, taken } = noting()
      const service = serviceOf(test, sender)
      const groupId = await createGroup(service)
      const [first, second] = [accessKeyOf(groupId, 0), accessKeyOf(groupId, 1)]
      expectType(await service.askWith(first, registerRequest(wantedBy(groupId, "mallory"))), "done")
      // A gateway that ends before it tells: here, one without a sender.
      const silent = createService(service.store, { now: Date.now })
      expectType(await silent.ask(commitRequest(groupId, 0n, { interval: 1, removes: true })), "accepted")
      expectType(await service.askWith(second, registerRequest(wantedBy(groupId, "alice"))), "done")
      expectType(await service.askWith(second, messageRequest(groupId, 1n)), "accepted")
      await until(() => told.length > 1)
      await quiet()
      assert.deepEqual(taken(), ["alice", "mallory"])
      assert.equal((await service.pushes.ofGroup({ groupId, at: BigInt(Date.now()) })).length, 1)
      expectType(await service.askWith(second, messageRequest(groupId, 1n)), "accepted")
      await until(() => told.length > 0)
      await quiet()
      assert.deepEqual(taken(), ["alice"])
    })

    it("of a removal come once, whatever was told a moment ago and whichever gateway has a timer", async (test) => {
      const { sender, told } = noting()
      const [store, pushes] = [openStore(test), pushStores[name]!(test)]
      const limits = { pushDelayMilliseconds: 50, pushEveryMilliseconds: 400 }
      const gateway = () => createService(store, { pushes, pushSender: sender, limits, now: Date.now })
      const gateways = [gateway(), gateway()]
      const [one, other] = gateways as [TestService, TestService]
      for (const [messageAt, removalAt] of [
        [one, one],
        [one, other],
        [other, one],
      ] as const) {
        const groupId = await createGroup(one)
        told.length = 0
        const first = accessKeyOf(groupId, 0)
        expectType(await one.askWith(first, registerRequest(wantedBy(groupId, "mallory"))), "done")
        expectType(await messageAt.ask(messageRequest(groupId, 0n)), "accepted")
        await until(() => told.length === 1)
        // The other's timer runs when the removal comes.
        expectType(await messageAt.ask(messageRequest(groupId, 0n)), "accepted")
        const removal = commitRequest(groupId, 2n, { interval: 1, removes: true, after: 0n })
        expectType(await removalAt.ask(removal), "accepted")
        await until(() => told.length === 2)
        await new Promise((resolve) => setTimeout(resolve, 500))
        assert.deepEqual(told, ["mallory", "mallory"])
        assert.deepEqual(await pushes.ofGroup({ groupId, at: 0n }), [])
      }
    })

    it("of a removal come from another gateway where the one that had to tell has ended", async (test) => {
      const { sender, told } = noting()
      const [store, pushes] = [openStore(test), pushStores[name]!(test)]
      const options = { pushes, pushSender: sender, now: Date.now }
      const ended = createService(store, { ...options, limits: { pushDelayMilliseconds: 100_000 } })
      const groupId = await createGroup(ended)
      expectType(await ended.ask(registerRequest(wantedBy(groupId, "mallory"))), "done")
      expectType(await ended.ask(commitRequest(groupId, 0n, { interval: 1, removes: true })), "accepted")
      const service = createService(store, { ...options, limits: quick })
      await until(() => {
        // Whatever is asked of it.
        service.ask({ type: "service" }).catch(() => {})
        return told.length > 0
      })
      await quiet()
      assert.deepEqual(told, ["mallory"])
      assert.deepEqual(await pushes.due({ before: BigInt(Date.now()), limit: 9 }), [])
    })
  })
}

describe("registrations for pushes", { timeout: 60_000 }, () => {
  const serviceOf = (limits: Partial<DeliveryLimits> = {}, sender = noting().sender) => {
    const refusals: RefusalKind[] = []
    const faults: unknown[] = []
    const pushes = memoryPushStore()
    const service = createService(memoryStore(sha256), {
      ...{ pushes, pushSender: sender, limits: { ...quick, ...limits } },
      onRefusal: (kind) => refusals.push(kind),
      onError: (error) => faults.push(error),
    })
    return { ...service, pushes, refusals, faults }
  }

  it("are refused where the operator has named no sender", async () => {
    const service = createService(memoryStore(sha256), { pushes: memoryPushStore() })
    const wanted = wantedBy(await createGroup(service), "alice")
    expectType(await service.ask(registerRequest(wanted)), "forbidden")
    expectType(await service.ask(removeRequest(wanted)), "forbidden")
  })

  it("name an endpoint with a public name, by https, and nothing within the operator's network", async () => {
    const service = serviceOf()
    const wanted = wantedBy(await createGroup(service), "alice")
    const refused = [
      ...[
        "",
        "nothing",
        "http://push.example.org/",
        "ftp://push.example.org/",
        "https://localhost/",
        "https://intranet/",
      ],
      ...[
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://[::1]/",
        "https://169.254.169.254/a",
      ],
      ...["https://a@push.example.org/", "https://a:b@push.example.org/", "https://push.example.org:8443/"],
      ...["https://db.internal/", "https://printer.local/", `https://push.example.org/${"a".repeat(2_048)}`],
      ...["https://127.0.0.1./", "javascript:alert(1)", "file:///etc/passwd"],
    ]
    for (const endpoint of refused) {
      expectType(await service.ask({ ...registerRequest(wanted), endpoint }), "invalid")
    }
    expectType(await service.ask({ ...registerRequest(wanted), parameters: random(1_025) }), "tooLarge")
    expectType(await service.ask({ ...registerRequest(wanted), lifetimeSeconds: 0 }), "invalid")
    expectType(await service.ask(registerRequest(wanted)), "done")
  })

  it("of strangers are denied, and nobody takes another's id or place", async () => {
    const service = serviceOf({ pushesPerRequesterMax: 2, pushesPerGroupMax: 3 })
    const groupId = await createGroup(service)
    const wanted = wantedBy(groupId, "alice")
    expectType(await service.askWith(accessKeyOf(random(32)), registerRequest(wanted)), "denied")
    expectType(await service.ask({ ...registerRequest(wanted), access: { type: "none" } }), "denied")
    const requester = (number: number) => ({ peer: `4c00002${number}`, network: `18c0000${number}` })
    const ask = (number: number, request: BareRequest) => service.askFrom(requester(number), request)
    expectType(await ask(1, registerRequest(wanted)), "done")
    expectType(await ask(2, { ...registerRequest(wanted), removal: random(32) }), "invalid")
    expectType(await ask(1, registerRequest(wanted)), "done")
    expectType(await ask(1, registerRequest(wantedBy(groupId, "b"))), "done")
    expectType(await ask(1, registerRequest(wantedBy(groupId, "c"))), "quotaExceeded")
    expectType(await ask(2, registerRequest(wantedBy(groupId, "c"))), "done")
    expectType(await ask(3, registerRequest(wantedBy(groupId, "d"))), "quotaExceeded")
    expectType(await ask(3, registerRequest(wantedBy(await createGroup(service), "d"))), "done")
    expectType(await ask(1, removeRequest(wanted)), "done")
    expectType(await ask(3, registerRequest(wantedBy(groupId, "d"))), "done")
    assert.equal(service.refusals.filter((kind) => kind === "groupQuota").length, 2)
  })

  it("are throttled, end at their time, and are swept then", async () => {
    const { sender, told } = noting()
    const service = serviceOf({ pushesByRequester: { perSecond: 0.01, burst: 2 }, pushLifetimeSecondsMax: 100 }, sender)
    const groupId = await createGroup(service)
    const [short, long] = [wantedBy(groupId, "short"), wantedBy(groupId, "long")]
    expectType(await service.askAs("4c0000201", registerRequest(short, 10)), "done")
    expectType(await service.askAs("4c0000201", registerRequest(long, 0xffff_ffff)), "done")
    expectType(await service.askAs("4c0000201", registerRequest(long)), "throttled")
    service.clock.now += 10_000
    expectType(await service.ask(messageRequest(groupId, 0n)), "accepted")
    await until(() => told.length > 0)
    assert.deepEqual([...new Set(told)], ["long"])
    const left = async () => (await service.pushes.ofGroup({ groupId, at: 0n })).length
    const sweep = () => sweepOnce({ store: service.store, pushes: service.pushes, now: () => service.clock.now })
    await sweep()
    assert.equal(await left(), 1)
    service.clock.now += 90_000
    await sweep()
    assert.equal(await left(), 0)
  })

  it("are forgotten for an endpoint that is gone, unless they were registered again meanwhile", async () => {
    const gone: (() => void)[] = []
    const { sender, told } = noting(() => new Promise((resolve) => gone.push(() => resolve("gone"))))
    const service = serviceOf({}, sender)
    const groupId = await createGroup(service)
    const [moved, left] = [wantedBy(groupId, "moved"), wantedBy(groupId, "left")]
    for (const it of [moved, left]) expectType(await service.ask(registerRequest(it)), "done")
    expectType(await service.ask(messageRequest(groupId, 0n)), "accepted")
    await until(() => told.length === 2)
    expectType(await service.ask(registerRequest({ ...moved, name: "there" })), "done")
    for (const answer of gone) answer()
    await quiet()
    const kept = await service.pushes.ofGroup({ groupId, at: 0n })
    assert.deepEqual(
      kept.map(({ endpoint }) => endpoint),
      ["https://push.example.org/there"],
    )
  })

  it("are sent to the address that was checked, in its normal form", async () => {
    const { sender, targets } = noting()
    const service = serviceOf({}, sender)
    const groupId = await createGroup(service)
    const endpoint = "https:\\\\PUSH.Example.org:443/a/../b c\n"
    expectType(await service.ask({ ...registerRequest(wantedBy(groupId, "alice")), endpoint }), "done")
    expectType(await service.ask(messageRequest(groupId, 0n)), "accepted")
    await until(() => targets.length > 0)
    assert.equal(targets[0]!.endpoint, "https://push.example.org/b%20c")
    // Its normal form is longer than what was written.
    const long = `https://push.example.org/${" a".repeat(900)}`
    expectType(await service.ask({ ...registerRequest(wantedBy(groupId, "bob")), endpoint: long }), "invalid")
  })

  it("of one network in a group are counted at all gateways together", async () => {
    const [store, pushes] = [memoryStore(sha256), memoryPushStore()]
    const limits = { pushesPerRequesterMax: 2 }
    const gateway = () => createService(store, { pushes, pushSender: noting().sender, limits })
    const groupId = await createGroup(gateway())
    const from = (network: string) => {
      const request = registerRequest(wantedBy(groupId, "a"))
      return gateway().askFrom({ peer: `${network}1`, network }, request)
    }
    for (let i = 0; i < 2; i++) expectType(await from("18c0000"), "done")
    expectType(await from("18c0000"), "quotaExceeded")
    expectType(await from("1863364"), "done")
    const senders = (await pushes.ofGroup({ groupId, at: 0n })).length
    assert.equal(senders, 3)
  })

  it("whose endpoint is gone are forgotten, and one that fails or never answers keeps no other from being told", async () => {
    const { sender, told } = noting(async ({ endpoint }) => {
      if (endpoint.endsWith("gone")) return "gone"
      if (endpoint.endsWith("failing")) throw new Error("the endpoint failed")
      return endpoint.endsWith("hanging") ? new Promise(() => {}) : "sent"
    })
    const service = serviceOf({ pushTimeoutMilliseconds: 50 }, sender)
    const groupId = await createGroup(service)
    // More than are told at the same time, and before the others.
    for (const name of [...Array<string>(40).fill("hanging"), "gone", "failing", "well"]) {
      expectType(await service.ask(registerRequest(wantedBy(groupId, name))), "done")
    }
    expectType(await service.ask(messageRequest(groupId, 0n)), "accepted")
    await until(() => told.length === 43)
    await quiet()
    assert.equal((await service.pushes.ofGroup({ groupId, at: 0n })).length, 42)
    assert.match(String(service.faults[0]), /the endpoint failed/)
    service.clock.now += 1_000
    expectType(await service.ask(messageRequest(groupId, 0n)), "accepted")
    await until(() => told.filter((name) => name === "well").length === 2)
    assert.equal(told.filter((name) => name === "gone").length, 1)
  })
})
