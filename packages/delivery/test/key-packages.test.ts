import assert from "node:assert/strict"
import { describe, it, type TestContext } from "node:test"
import { decode } from "@conclave/codec"
import { noAccess } from "@conclave/contracts/access"
import { type DeliveryRequest, DeliveryResponse, deliveryRequests } from "@conclave/contracts/delivery"
import {
  createDevice,
  createService,
  expectType,
  keyPackage,
  NOW,
  proved,
  random,
  type TestDevice,
  type TestService,
  welcome,
} from "@conclave/testing/delivery"
import type { DeliveryLimits } from "../src/index.js"
import { stores } from "./stores.js"

const claimOf = ({ deviceId }: TestDevice): DeliveryRequest => ({ type: "claimKeyPackage", deviceId, cipherSuite: 1 })

async function publish(
  service: TestService,
  device: TestDevice,
  {
    keyPackages = [],
    lastResort,
    replaces = false,
  }: { keyPackages?: readonly Uint8Array[]; lastResort?: Uint8Array | undefined; replaces?: boolean },
) {
  const request = { type: "publishKeyPackages", cipherSuite: 1, keyPackages, lastResort, replaces } as const
  return service.ask(proved(device, request, service.clock.now))
}

for (const [name, openStore] of Object.entries(stores)) {
  describe(`key packages (${name})`, () => {
    it("each is handed out once, the oldest first, and then the last resort for ever", async (test) => {
      const service = createService(openStore(test))
      const bob = service.register(createDevice())
      const keyPackages = [keyPackage(bob), keyPackage(bob)]
      const lastResort = keyPackage(bob)
      const published = await publish(service, bob, { keyPackages, lastResort })
      assert.deepEqual(published, { type: "keyPackageCount", count: 2, lastResort: true })
      const claims = [1, 2, 3, 4].map(() => service.ask(claimOf(bob)))
      assert.deepEqual(await Promise.all(claims), [
        { type: "keyPackage", keyPackage: keyPackages[0], lastResort: false },
        { type: "keyPackage", keyPackage: keyPackages[1], lastResort: false },
        { type: "keyPackage", keyPackage: lastResort, lastResort: true },
        { type: "keyPackage", keyPackage: lastResort, lastResort: true },
      ])
    })

    it("a request that is repeated brings no used package back", async (test) => {
      const service = createService(openStore(test))
      const bob = service.register(createDevice())
      const keyPackages = [keyPackage(bob), keyPackage(bob)]
      await publish(service, bob, { keyPackages })
      await service.ask(claimOf(bob))
      assert.deepEqual(await publish(service, bob, { keyPackages }), {
        type: "keyPackageCount",
        count: 1,
        lastResort: false,
      })
      await service.ask(claimOf(bob))
      expectType(await service.ask(claimOf(bob)), "notFound")
    })

    it("all of a device are withdrawn at once by a request that replaces them, and nobody else's", async (test) => {
      const service = createService(openStore(test))
      const [bob, carol] = [service.register(createDevice()), service.register(createDevice())]
      const ofCarol = [keyPackage(carol), keyPackage(carol)] as const
      await publish(service, carol, { keyPackages: [ofCarol[0]], lastResort: ofCarol[1] })
      const before = { keyPackages: [keyPackage(bob), keyPackage(bob)], lastResort: keyPackage(bob) }
      await publish(service, bob, before)
      const after = { keyPackages: [keyPackage(bob)], lastResort: keyPackage(bob), replaces: true }
      const published = { type: "keyPackageCount", count: 1, lastResort: true }
      for (let copy = 0; copy < 2; copy++) assert.deepEqual(await publish(service, bob, after), published)
      // What was withdrawn does not come back, by a copy or by any request.
      assert.deepEqual(await publish(service, bob, before), published)
      assert.deepEqual(await publish(service, bob, { ...before, replaces: true }), published)
      assert.deepEqual(await publish(service, bob, { lastResort: before.lastResort }), published)
      assert.deepEqual(
        [await service.ask(claimOf(bob)), await service.ask(claimOf(bob))],
        [
          { type: "keyPackage", keyPackage: after.keyPackages[0], lastResort: false },
          { type: "keyPackage", keyPackage: after.lastResort, lastResort: true },
        ],
      )
      // A copy brings no used one back either, and what was claimed before stays claimed.
      assert.deepEqual(await publish(service, bob, after), { ...published, count: 0 })
      assert.deepEqual(
        [await service.ask(claimOf(carol)), await service.ask(claimOf(carol))],
        [
          { type: "keyPackage", keyPackage: ofCarol[0], lastResort: false },
          { type: "keyPackage", keyPackage: ofCarol[1], lastResort: true },
        ],
      )
    })

    it("are kept by a refused request that would replace them: without a last resort, or with a wrong one", async (test) => {
      const service = createService(openStore(test))
      const [bob, carol] = [service.register(createDevice()), service.register(createDevice())]
      const [single, lastResort] = [keyPackage(bob), keyPackage(bob)]
      await publish(service, bob, { keyPackages: [single], lastResort })
      const none = await publish(service, bob, { keyPackages: [keyPackage(bob)], replaces: true })
      assert.equal(expectType(none, "invalid").reason, "lastResort: there is none to replace the one before")
      const wrong = { keyPackages: [keyPackage(bob)], lastResort: keyPackage(carol), replaces: true }
      expectType(await publish(service, bob, wrong), "invalid")
      assert.equal(expectType(await service.ask(claimOf(bob)), "keyPackage").keyPackage.length, single.length)
      assert.deepEqual(await service.ask(claimOf(bob)), {
        type: "keyPackage",
        keyPackage: lastResort,
        lastResort: true,
      })
    })

    it("that were withdrawn are remembered for longer than a copy of a request is accepted, and no longer", async (test) => {
      const store = openStore(test)
      const service = createService(store)
      const bob = service.register(createDevice())
      const NEVER = NOW / 1000 + 400 * 86_400
      const before = {
        keyPackages: [keyPackage(bob, { notAfter: NEVER })],
        lastResort: keyPackage(bob, { notAfter: NEVER }),
      }
      await publish(service, bob, before)
      const replacing = { lastResort: keyPackage(bob, { notAfter: NEVER }), replaces: true }
      await publish(service, bob, replacing)
      service.clock.now += 10 * 60_000
      assert.equal(expectType(await publish(service, bob, before), "keyPackageCount").count, 0)
      service.clock.now += 3_600_000
      const horizons = { messages: 0n, log: 0n, inbox: 0n, groups: 0n, knocks: 0n, rowsMax: 100 }
      const { rows } = await store.sweep({ ...horizons, at: BigInt(service.clock.now) })
      assert.equal(rows, 2)
      assert.equal(expectType(await publish(service, bob, {}), "keyPackageCount").lastResort, true)
    })

    it("a new last resort replaces the one before it, and nobody else's", async (test) => {
      const service = createService(openStore(test))
      const [bob, carol] = [service.register(createDevice()), service.register(createDevice())]
      const ofCarol = keyPackage(carol)
      await publish(service, carol, { lastResort: ofCarol })
      await publish(service, bob, { lastResort: keyPackage(bob) })
      const ofBob = keyPackage(bob)
      await publish(service, bob, { lastResort: ofBob })
      for (const [device, lastResort] of [[bob, ofBob] as const, [carol, ofCarol] as const]) {
        const answer = await service.ask(claimOf(device))
        assert.deepEqual(answer, { type: "keyPackage", keyPackage: lastResort, lastResort: true })
      }
    })

    it("one that was published before is no new last resort: the present one stays", async (test) => {
      const service = createService(openStore(test))
      const bob = service.register(createDevice())
      const [single, lastResort] = [keyPackage(bob), keyPackage(bob)]
      await publish(service, bob, { keyPackages: [single], lastResort })
      expectType(await service.ask(claimOf(bob)), "keyPackage")
      const repeated = await publish(service, bob, { lastResort: single })
      assert.deepEqual(repeated, { type: "keyPackageCount", count: 0, lastResort: true })
      assert.deepEqual(await service.ask(claimOf(bob)), {
        type: "keyPackage",
        keyPackage: lastResort,
        lastResort: true,
      })
    })

    it("one whose lifetime is over is neither counted nor handed out", async (test) => {
      const service = createService(openStore(test))
      const bob = service.register(createDevice())
      const brief = keyPackage(bob, { notAfter: NOW / 1000 + 10 })
      const long = keyPackage(bob)
      await publish(service, bob, {
        keyPackages: [brief, long],
        lastResort: keyPackage(bob, { notAfter: NOW / 1000 + 10 }),
      })
      service.clock.now += 10_000
      const count = await service.ask(proved(bob, { type: "countKeyPackages", cipherSuite: 1 }, service.clock.now))
      assert.deepEqual(count, { type: "keyPackageCount", count: 1, lastResort: false })
      assert.deepEqual(await service.ask(claimOf(bob)), { type: "keyPackage", keyPackage: long, lastResort: false })
      expectType(await service.ask(claimOf(bob)), "notFound")
    })

    it("a device whose stock runs low finds one notice in its inbox, and another only after it has answered", async (test) => {
      const service = createService(openStore(test), { limits: { keyPackageStockLow: 2 } })
      const bob = service.register(createDevice())
      const inbox = async () => {
        const answer = await service.ask(proved(bob, { type: "inbox", after: 0n, limit: 10 }))
        return expectType(answer, "inboxEntries").entries.map((entry) => `${entry.n} ${entry.kind}`)
      }
      await publish(service, bob, { keyPackages: [1, 2, 3].map(() => keyPackage(bob)) })
      await service.ask(claimOf(bob))
      assert.deepEqual(await inbox(), [])
      await service.ask(claimOf(bob))
      await service.ask(claimOf(bob))
      assert.deepEqual(await inbox(), ["1 keyPackagesLow"])
      expectType(await service.ask(proved(bob, { type: "acknowledgeInbox", upTo: 1n })), "done")
      assert.deepEqual(await inbox(), [])
      await service.ask(claimOf(bob))
      assert.deepEqual(await inbox(), ["2 keyPackagesLow"])
    })

    it("a flood of claims cannot drain the stock: beyond the rate it gets the last resort", async (test) => {
      const service = createService(openStore(test), { limits: { claims: { perSecond: 1, burst: 2 } } })
      const [bob, carol] = [service.register(createDevice()), service.register(createDevice())]
      await publish(service, bob, { keyPackages: [1, 2, 3].map(() => keyPackage(bob)), lastResort: keyPackage(bob) })
      await publish(service, carol, { keyPackages: [1, 2, 3].map(() => keyPackage(carol)) })
      const kinds = async (device: TestDevice) => {
        const answers = await Promise.all([1, 2, 3].map(() => service.ask(claimOf(device))))
        return answers.map((answer) => (answer.type === "keyPackage" ? answer.lastResort : answer.type))
      }
      assert.deepEqual(await kinds(bob), [false, false, true])
      assert.deepEqual(await kinds(carol), [false, false, "throttled"])
      service.clock.now += 1000
      assert.deepEqual((await kinds(bob))[0], false)
    })

    it("a stock has a limit; what is published beyond it is left out and the answer says so", async (test) => {
      const service = createService(openStore(test), { limits: { keyPackageStockMax: 3 } })
      const bob = service.register(createDevice())
      const keyPackages = [1, 2, 3, 4, 5].map(() => keyPackage(bob))
      assert.deepEqual(await publish(service, bob, { keyPackages }), {
        type: "keyPackageCount",
        count: 3,
        lastResort: false,
      })
    })
  })
}

describe("what a device may publish", () => {
  const bob = createDevice()
  const wrong: Readonly<Record<string, [Uint8Array, RegExp]>> = {
    "somebody else's key package": [keyPackage(createDevice()), /not the device's/],
    "one for another cipher suite": [keyPackage(bob, { cipherSuite: 3 }), /cipher suite 3/],
    "one whose lifetime is over": [keyPackage(bob, { notAfter: NOW / 1000 }), /lifetime is over/],
    "one whose lifetime begins tomorrow": [keyPackage(bob, { notBefore: NOW / 1000 + 86_400 }), /has not begun/],
    "a Welcome": [welcome(1), /no KeyPackage/],
    "one with a byte behind it": [Buffer.concat([keyPackage(bob), Buffer.of(0)]), /behind the value/],
    noise: [random(300), /keyPackages\[1\]/],
  }
  for (const [what, [bytes, reason]] of Object.entries(wrong)) {
    it(`not ${what}: the whole request is refused`, async (test) => {
      const service = createService(stores.SQLite!(test))
      service.register(bob)
      const refused = await publish(service, bob, { keyPackages: [keyPackage(bob), bytes] })
      assert.match(expectType(refused, "invalid").reason, reason)
      const count = await service.ask(proved(bob, { type: "countKeyPackages", cipherSuite: 1 }))
      assert.deepEqual(count, { type: "keyPackageCount", count: 0, lastResort: false })
    })
  }

  it("a lifetime that never ends is as good as any", async (test) => {
    const service = createService(stores.SQLite!(test))
    service.register(bob)
    const forever = keyPackage(bob, { notAfter: Number.MAX_SAFE_INTEGER })
    assert.equal(expectType(await publish(service, bob, { keyPackages: [forever] }), "keyPackageCount").count, 1)
    expectType(await service.ask(claimOf(bob)), "keyPackage")
  })
})

describe("at the default rates", () => {
  const isLastResort = (answer: DeliveryResponse) => (answer.type === "keyPackage" ? answer.lastResort : answer.type)
  const openStocked = async (test: TestContext, limits: Partial<DeliveryLimits> = {}) => {
    const service = createService(stores.SQLite!(test), { limits })
    const bob = service.register(createDevice())
    // As many as a client keeps.
    const keyPackages = Array.from({ length: 20 }, () => keyPackage(bob))
    await publish(service, bob, { keyPackages, lastResort: keyPackage(bob) })
    const claims = async (count: number, peer: string | undefined) => {
      const kinds: (string | boolean)[] = []
      for (let i = 0; i < count; i++) kinds.push(isLastResort(await service.askAs(peer, claimOf(bob))))
      return kinds
    }
    return { service, bob, claims }
  }

  it("one requester gets a few single-use packages of a device, and takes none away from the others", async (test) => {
    const { service, claims } = await openStocked(test)
    const kinds = await claims(50, "04c00002")
    assert.equal(kinds.filter((kind) => kind === false).length, 5)
    assert.equal(kinds.filter((kind) => kind === true).length, 45)
    assert.deepEqual(await claims(1, "04c63364"), [false])
    service.clock.now += 3_600_000
    assert.deepEqual(await claims(2, "04c00002"), [false, true])
  })

  it("all requesters together leave some of what a client keeps", async (test) => {
    const { service, bob, claims } = await openStocked(test)
    for (let peer = 0; peer < 30; peer++) await claims(3, `04${peer}`)
    await claims(30, undefined)
    const count = await service.ask(proved(bob, { type: "countKeyPackages", cipherSuite: 1 }))
    assert.equal(expectType(count, "keyPackageCount").count, 5)
  })

  it("a requester who claims from one device after the other is told when to come back", async (test) => {
    const { service, claims } = await openStocked(test, { claimsByRequester: { perSecond: 2, burst: 1 } })
    assert.deepEqual(await claims(1, "04c00002"), [false])
    const another = claimOf(createDevice())
    assert.deepEqual(await service.askAs("04c00002", another), { type: "throttled", retryAfterMilliseconds: 500 })
    expectType(await service.askAs("04c63364", another), "notFound")
  })

  it("what is no device's id is not found, however long it is, and nobody is asked for it", async (test) => {
    const asked: Uint8Array[] = []
    const directory = async (deviceId: Uint8Array) => void asked.push(deviceId)
    const service = createService(stores.SQLite!(test), { directory })
    for (const length of [0, 31, 33, 100_000]) {
      const claim = { type: "claimKeyPackage", deviceId: random(length), cipherSuite: 1 } as const
      expectType(await service.askAs("04c00002", claim), "notFound")
    }
    assert.deepEqual(asked, [])
  })

  it("a device publishes as many bytes as a requester may have stored, and then is told when to come back", async (test) => {
    const bytesByRequester = { perSecond: 100, burst: 1_000 }
    const service = createService(stores.SQLite!(test), { limits: { bytesByRequester } })
    const bob = service.register(createDevice())
    const ask = (peer: string) => {
      const keyPackages = [keyPackage(bob), keyPackage(bob)]
      const kept = { lastResort: undefined, replaces: false } as const
      const request = { type: "publishKeyPackages", cipherSuite: 1, keyPackages, ...kept } as const
      return service.askAs(peer, proved(bob, request, service.clock.now))
    }
    assert.equal(expectType(await ask("04c00002"), "keyPackageCount").count, 2)
    const wait = expectType(await ask("04c00002"), "throttled").retryAfterMilliseconds
    assert.equal(expectType(await ask("04c63364"), "keyPackageCount").count, 4)
    service.clock.now += wait
    assert.equal(expectType(await ask("04c00002"), "keyPackageCount").count, 6)
  })
})

describe("a device's proof", () => {
  const inbox = { type: "inbox", after: 0n, limit: 10 } as const

  it("is its signature over this very request", async (test) => {
    const service = createService(stores.SQLite!(test))
    const bob = service.register(createDevice())
    const request = proved(bob, inbox) as DeliveryRequest & { type: "inbox" }
    expectType(await service.ask(request), "inboxEntries")
    expectType(await service.ask({ ...request, limit: 11 }), "forbidden")
    expectType(await service.ask({ ...request, proof: { ...request.proof, at: request.proof.at + 1n } }), "forbidden")
    const carol = service.register(createDevice())
    expectType(await service.ask({ ...request, proof: { ...request.proof, deviceId: carol.deviceId } }), "forbidden")
    const signature = request.proof.signature.slice()
    signature[5]! ^= 1
    expectType(await service.ask({ ...request, proof: { ...request.proof, signature } }), "forbidden")
  })

  it("of an unregistered device says nothing", async (test) => {
    const service = createService(stores.SQLite!(test))
    assert.match(expectType(await service.ask(proved(createDevice(), inbox)), "forbidden").reason, /not registered/)
  })

  it("is good for five minutes, in both directions; beyond, the answer tells the service's time", async (test) => {
    const service = createService(stores.SQLite!(test))
    const bob = service.register(createDevice())
    for (const minutes of [-5, 5])
      expectType(await service.ask(proved(bob, inbox, NOW + minutes * 60_000)), "inboxEntries")
    for (const minutes of [-5, 5]) {
      const at = NOW + minutes * 60_000 + Math.sign(minutes)
      assert.deepEqual(await service.ask(proved(bob, inbox, at)), { type: "wrongTime", serviceTime: BigInt(NOW) })
    }
  })

  it("a claim in early data, which could be a replay, is not answered; a read is", async (test) => {
    const service = createService(stores.SQLite!(test))
    const early = { signal: new AbortController().signal, early: true }
    const typesOf = async (request: DeliveryRequest) => {
      const answers = service.handler(deliveryRequests.encode(request), early)
      const types: string[] = []
      for await (const answer of answers) types.push(decode(DeliveryResponse, answer).type)
      return types
    }
    assert.deepEqual(await typesOf(claimOf(createDevice())), ["forbidden"])
    assert.deepEqual(await typesOf({ type: "head", groupId: random(32), access: noAccess }), ["notFound"])
  })
})

describe("claims of devices that nobody has registered", () => {
  it("count for who asks, write nothing, and push nobody else's count out", async (test) => {
    const { store } = openSpied(test)
    const service = createService(store.spied, { limits: { claimsByRequester: { perSecond: 1, burst: 30_000 } } })
    const bob = service.register(createDevice())
    const keyPackages = Array.from({ length: 20 }, () => keyPackage(bob))
    await publish(service, bob, { keyPackages, lastResort: keyPackage(bob) })
    const singles = async (peer: string) => {
      let count = 0
      for (let i = 0; i < 20; i++) {
        const answer = expectType(await service.askAs(peer, claimOf(bob)), "keyPackage")
        if (!answer.lastResort) count++
      }
      return count
    }
    assert.equal(await singles("mallory"), 5)
    const claims = store.claims
    for (let i = 0; i < 25_000; i++) {
      const claim = { type: "claimKeyPackage", deviceId: random(32), cipherSuite: 1 } as const
      expectType(await service.askAs("mallory", claim), "notFound")
    }
    assert.equal(store.claims, claims)
    assert.equal(await singles("mallory"), 0)
    assert.equal(await singles("carol"), 5)
  })
})

function openSpied(test: TestContext) {
  const inner = stores.SQLite!(test)
  const store = {
    claims: 0,
    spied: {
      ...inner,
      claimKeyPackage(claim: Parameters<typeof inner.claimKeyPackage>[0]) {
        store.claims++
        return inner.claimKeyPackage(claim)
      },
    },
  }
  return { store }
}
