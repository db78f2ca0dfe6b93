import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { decode } from "@conclave/codec"
import { AuthResponse, authRequests, type Endorsement } from "@conclave/contracts/auth"
import { authStore, openDatabase } from "@conclave/sqlite"
import { createDevice, createService, NOW, registration, type TestDevice } from "@conclave/testing/auth"
import { badNames, goodNames } from "@conclave/testing/names"
import { directoryOf, memoryStore } from "../src/index.js"
import { stores } from "./stores.js"

const listed = ({ deviceId, cipherSuite, key }: TestDevice, endorsement?: Endorsement, later = 0) => ({
  deviceId,
  cipherSuite,
  signatureKey: key.publicKey,
  registeredAt: BigInt(NOW + later),
  endorsement,
})

function reasonOf(answer: AuthResponse): string {
  assert.equal(answer.type, "invalid")
  return (answer as AuthResponse & { type: "invalid" }).reason
}

for (const [name, openStore] of Object.entries(stores)) {
  describe(`a directory of names (${name})`, () => {
    it("gives a name to the first device that asks for it, and tells everybody who speaks for it", async (test) => {
      const { ask } = createService(openStore(test))
      const alice = createDevice()
      assert.deepEqual(await ask({ type: "lookup", name: "alice" }), { type: "notFound" })
      assert.deepEqual(await ask(registration(alice, "alice")), { type: "registered", device: listed(alice) })
      const devices = {
        type: "devices",
        name: "alice",
        devices: [listed(alice)],
        displayName: undefined,
        revoked: [],
        recovery: [],
      }
      assert.deepEqual(await ask({ type: "lookup", name: "alice" }), devices)
      assert.deepEqual(await ask({ type: "lookupDevice", deviceId: alice.deviceId }), devices)
      assert.deepEqual(await ask({ type: "lookupDevice", deviceId: createDevice().deviceId }), { type: "notFound" })
    })

    it("takes a further device when one of the name vouches for it, and nobody else's", async (test) => {
      const { ask } = createService(openStore(test))
      const [first, second, third, mallory] = [createDevice(), createDevice(2), createDevice(), createDevice()]
      await ask(registration(first, "alice"))
      await ask(registration(mallory, "mallory"))
      assert.deepEqual(await ask(registration(second, "alice")), { type: "nameTaken" })
      assert.match(reasonOf(await ask(registration(second, "alice", mallory))), /endorsement/)
      assert.match(reasonOf(await ask(registration(second, "alice", second))), /endorsement/)
      const bySecond = registration(third, "alice", second)
      const byFirst = registration(second, "alice", first)
      assert.equal((await ask(byFirst)).type, "registered")
      assert.equal((await ask(bySecond)).type, "registered")
      const looked = await ask({ type: "lookup", name: "alice" })
      const devices = [listed(first), listed(second, byFirst.endorsement, 1), listed(third, bySecond.endorsement, 2)]
      assert.deepEqual(looked, {
        type: "devices",
        name: "alice",
        devices,
        displayName: undefined,
        revoked: [],
        recovery: [],
      })
    })

    it("believes nothing by a device of a cipher suite that it does not know", async (test) => {
      const store = openStore(test)
      const { ask } = createService(store)
      const [later, bob] = [createDevice(), createDevice()]
      const { deviceId, key } = later
      const device = { deviceId, signatureKey: key.publicKey, cipherSuite: 4_000, at: 1n, endorsement: undefined }
      await store.register({ ...device, name: "alice", devicesMax: 10 })
      assert.match(reasonOf(await ask(registration(bob, "alice", later))), /endorsement/)
      const displayName = { text: "Alice", at: 1n, deviceId, signature: new Uint8Array(64) }
      assert.match(reasonOf(await ask({ type: "setDisplayName", name: "alice", displayName })), /signature/)
    })

    it("does not take an endorsement of another key", async (test) => {
      const { ask } = createService(openStore(test))
      const [alice, bob, mallory] = [createDevice(), createDevice(), createDevice()]
      await ask(registration(alice, "alice"))
      const { endorsement } = registration(bob, "alice", alice)
      assert.match(reasonOf(await ask({ ...registration(mallory, "alice"), endorsement })), /endorsement/)
    })

    it("answers a retry as the first time, at any time", async (test) => {
      const { ask, clock } = createService(openStore(test))
      const request = registration(createDevice(), "alice")
      const first = await ask(request)
      clock.now += 1_000_000
      assert.deepEqual(await ask(request), first)
    })

    it("lets a key speak for one name only", async (test) => {
      const { ask } = createService(openStore(test))
      const device = createDevice()
      await ask(registration(device, "alice"))
      assert.match(reasonOf(await ask(registration(device, "bob"))), /another name/)
      assert.deepEqual(await ask({ type: "lookup", name: "bob" }), { type: "notFound" })
    })

    it("registers each device of a name later than those before, whatever the clock says", async (test) => {
      const { ask, clock } = createService(openStore(test))
      const [first, bob] = [createDevice(), createDevice()]
      const times: (readonly [number, number])[] = [
        [0, 0],
        [-3_600_000, 1],
        [0, 2],
        [5_000, 5_000],
        [5_000, 5_001],
      ]
      for (const [at, [later, expected]] of times.entries()) {
        clock.now = NOW + later
        const device = at === 0 ? first : createDevice()
        const answer = await ask(registration(device, "alice", at === 0 ? undefined : first))
        assert.equal(answer.type === "registered" && Number(answer.device.registeredAt) - NOW, expected)
      }
      clock.now = NOW - 1
      const other = await ask(registration(bob, "bob"))
      assert.equal(other.type === "registered" && Number(other.device.registeredAt) - NOW, -1, "each name by itself")
      // The same again.
      const again = await ask(registration(first, "alice"))
      assert.equal(again.type === "registered" && Number(again.device.registeredAt) - NOW, 0)
    })

    it("of two that race for a name takes one", async (test) => {
      const { ask } = createService(openStore(test))
      const answers = await Promise.all([1, 2, 3, 4, 5].map(() => ask(registration(createDevice(), "alice"))))
      assert.deepEqual(answers.map((answer) => answer.type).sort(), [...new Array(4).fill("nameTaken"), "registered"])
    })

    it("has room for so many devices of a name", async (test) => {
      const { ask } = createService(openStore(test), { limits: { devicesPerNameMax: 2 } })
      const [first, second, third] = [createDevice(), createDevice(), createDevice()]
      await ask(registration(first, "alice"))
      await ask(registration(second, "alice", first))
      assert.match(reasonOf(await ask(registration(third, "alice", first))), /2 devices already/)
    })

    it("tells the delivery service which key a device has", async (test) => {
      const store = openStore(test)
      const { ask } = createService(store)
      const alice = createDevice(2)
      await ask(registration(alice, "alice"))
      const found = await directoryOf(store)(alice.deviceId)
      assert.deepEqual([found?.cipherSuite, found?.signatureKey], [2, alice.key.publicKey])
      assert.equal(await directoryOf(store)(new Uint8Array(32)), undefined)
    })
  })
}

describe("a registration", () => {
  for (const suite of [1, 2, 3, 4, 5, 6, 7]) {
    it(`is signed with the key of cipher suite ${suite}`, async () => {
      const { ask } = createService(memoryStore())
      const request = registration(createDevice(suite), "alice")
      const signature = request.signature.slice()
      signature[signature.length - 1]! ^= 1
      assert.match(reasonOf(await ask({ ...request, signature })), /signature/)
      assert.match(reasonOf(await ask({ ...request, name: "bob" })), /signature/)
      assert.equal((await ask(request)).type, "registered")
    })
  }

  const alice = createDevice()
  for (const [name, why] of badNames) {
    // Bytes that are no UTF-8 do not get as far as the name.
    if (!name.isWellFormed()) continue
    it(`is not for the name ${JSON.stringify(name.slice(0, 20))}, which nobody can look up either`, async () => {
      const { ask } = createService(memoryStore())
      const reason = reasonOf(await ask(registration(alice, name)))
      assert.match(reason, /^name: /)
      assert.match(reason, why)
      assert.match(reasonOf(await ask({ type: "lookup", name })), why)
    })
  }
  for (const name of Object.keys(goodNames)) {
    it(`may be for the name ${JSON.stringify(name.slice(0, 20))}`, async () => {
      const { ask } = createService(memoryStore())
      assert.equal((await ask(registration(alice, name))).type, "registered")
      assert.equal((await ask({ type: "lookup", name })).type, "devices")
    })
  }

  it("with an unknown suite or a key of another length is refused", async () => {
    const { ask } = createService(memoryStore())
    const request = registration(alice, "alice")
    assert.match(reasonOf(await ask({ ...request, cipherSuite: 8 })), /cipherSuite/)
    assert.match(reasonOf(await ask({ ...request, signatureKey: request.signatureKey.subarray(1) })), /signatureKey/)
  })

  it("too many at once are told when to come back; known devices and questions are served on", async () => {
    const { ask, clock } = createService(memoryStore(), { limits: { registrations: { perSecond: 2, burst: 1 } } })
    const first = registration(createDevice(), "alice")
    assert.equal((await ask(first)).type, "registered")
    const second = registration(createDevice(), "bob")
    assert.deepEqual(await ask(second), { type: "throttled", retryAfterMilliseconds: 500 })
    assert.equal((await ask(first)).type, "registered")
    assert.equal((await ask({ type: "lookup", name: "alice" })).type, "devices")
    clock.now += 500
    assert.equal((await ask(second)).type, "registered")
  })
})

describe("a requester", () => {
  it("who registers device after device waits, and nobody else does", async () => {
    const registrationsByRequester = { perSecond: 1, burst: 2 }
    const registrations = { perSecond: 1, burst: 4 }
    const { ask } = createService(memoryStore(), { limits: { registrations, registrationsByRequester } })
    const types = async (peer: string | undefined, names: readonly string[]) => {
      const answers = await Promise.all(names.map((name) => ask(registration(createDevice(), name), peer)))
      return answers.map(({ type }) => type)
    }
    assert.deepEqual(await types("flood", ["a", "b", "c", "d", "e"]), [
      "registered",
      "registered",
      "throttled",
      "throttled",
      "throttled",
    ])
    assert.deepEqual(await types("other", ["f"]), ["registered"])
    assert.deepEqual(await types(undefined, ["g", "h"]), ["registered", "throttled"])
  })
})

describe("a network", () => {
  it("of many addresses has at most three quarters of all registrations, whoever the others are", async () => {
    const limits = { registrations: { perSecond: 1, burst: 8 }, registrationsByRequester: { perSecond: 1, burst: 2 } }
    const refusals: string[] = []
    const { ask } = createService(memoryStore(), { limits, onRefusal: (kind) => refusals.push(kind) })
    let number = 0
    const register = async (peer: string, network: string) =>
      (await ask(registration(createDevice(), `name${number++}`), peer, network)).type
    const types: string[] = []
    for (const peer of ["a", "b", "c", "d", "e"]) {
      for (let i = 0; i < 2; i++) types.push(await register(peer, "attackers"))
    }
    assert.deepEqual(types, [...new Array(6).fill("registered"), ...new Array(4).fill("throttled")])
    assert.deepEqual(refusals, new Array(4).fill("registrations"))
    assert.equal(await register("honest", "elsewhere"), "registered")
  })
})

describe("any bytes at all", () => {
  it("get a typed answer and register nobody", async () => {
    const errors: unknown[] = []
    const { ask, askBytes } = createService(memoryStore(), { onError: (error) => errors.push(error) })
    const valid = authRequests.encode(registration(createDevice(), "alice", createDevice()))
    const typeOf = async (bytes: Uint8Array) => decode(AuthResponse, await askBytes(bytes)).type
    const types = new Set<string>()
    for (let length = 0; length < valid.length; length++) types.add(await typeOf(valid.subarray(0, length)))
    for (let at = 0; at < valid.length; at++) {
      const mutated = valid.slice()
      mutated[at]! ^= 1 << (at % 8)
      types.add(await typeOf(mutated))
    }
    types.add(await typeOf(new Uint8Array(100_000)))
    assert.ok(
      [...types].every((type) => type === "invalid" || type === "notFound" || type === "update"),
      [...types].join(),
    )
    assert.deepEqual(await ask({ type: "lookup", name: "alice" }), { type: "notFound" })
    assert.deepEqual(errors, [])
  })

  it("while the store is not available: unavailable, and what broke is told to the operator only", async (test) => {
    const errors: unknown[] = []
    const database = openDatabase({ file: ":memory:" })
    const { ask } = createService(authStore(database), { onError: (error) => errors.push(error) })
    test.after(() => database.close())
    await database.close()
    const answer = await ask({ type: "lookup", name: "alice" })
    assert.ok(answer.type === "unavailable" && answer.retryAfterMilliseconds >= 1_000)
    assert.equal(answer.reason, "the database is closed")
    assert.equal((await ask(registration(createDevice(), "alice"))).type, "unavailable")
    assert.equal(errors.length, 2)
  })
})
