import assert from "node:assert/strict"
import { test } from "node:test"
import { nodeProvider } from "@conclave/crypto/node"
import fc from "fast-check"
import { ClientMemory } from "../../src/sealed/client-memory.js"
import { AddressTokens, KeyRing, MemoryStrikeRegister } from "../../src/sealed/index.js"
import { OpeningReader, openingFrames } from "../../src/sealed/opening.js"
import { prefixOf } from "../../src/sealed/prefix.js"
import { SpentTable } from "../../src/sealed/spent-table.js"
import { bucketFor, Kind } from "../../src/sealed/wire.js"

const provider = nodeProvider()
const id = () => provider.random(16)
const ownKey = { inherited: false, since: 0 }

function clockAt(start: number) {
  const clock = { time: start, now: () => clock.time }
  return clock
}

test("a token is good once, for its network, until it expires", () => {
  const clock = clockAt(1_000_000)
  const tokens = new AddressTokens({ provider, lifetimeMilliseconds: 60_000, now: clock.now })
  const token = tokens.issue("192.0.2.7")

  assert.equal(token.length, 32)
  assert.equal(tokens.spend(token, "198.51.100.1"), false, "another network")
  assert.equal(tokens.spend(token, "192.0.2.200"), true, "the same network")
  assert.equal(tokens.spend(token, "192.0.2.7"), false, "a second time")

  const late = tokens.issue("192.0.2.7")
  clock.time += 61_000
  assert.equal(tokens.spend(late, "192.0.2.7"), false, "expired")
})

test("a token outlives one rotation of the key and not two", () => {
  const clock = clockAt(0)
  const tokens = new AddressTokens({ provider, lifetimeMilliseconds: 60_000, now: clock.now })
  const made = () => tokens.issue("192.0.2.7")
  clock.time = 59_000
  const before = made()
  clock.time = 61_000
  made()
  assert.equal(tokens.spend(before, "192.0.2.7"), true)
  const [early, later] = [made(), made()]
  clock.time = 120_000
  assert.equal(tokens.spend(early, "192.0.2.7"), true)
  clock.time = 190_000
  assert.equal(tokens.spend(later, "192.0.2.7"), false)
})

test("every altered bit of a token makes it worthless, and so does every other length", () => {
  const tokens = new AddressTokens({ provider })
  for (let bit = 0; bit < 256; bit++) {
    const token = tokens.issue("2001:db8::1")
    token[bit >> 3]! ^= 1 << (bit & 7)
    assert.equal(tokens.spend(token, "2001:db8::1"), false)
  }
  for (const length of [0, 1, 31, 33, 64]) assert.equal(tokens.spend(provider.random(length), "2001:db8::1"), false)
})

test("front ends that share keys take each other's tokens", () => {
  const [one, other] = [new AddressTokens({ provider }), new AddressTokens({ provider })]
  const token = one.issue("192.0.2.7")
  assert.equal(other.spend(token, "192.0.2.7"), false)
  other.importKeys(one.exportKeys())
  assert.equal(other.spend(token, "192.0.2.7"), true)
})

test("keys that are shared have 16 bytes, and an address that is none gets no token", () => {
  const tokens = new AddressTokens({ provider })
  const token = tokens.issue("192.0.2.7")
  for (const lengths of [[], [15], [16, 17]]) {
    const keys = lengths.map((length) => ({ key: provider.random(length), since: 0 }))
    assert.throws(() => tokens.importKeys(keys), RangeError)
  }
  assert.deepEqual(tokens.issueMany("unknown", 8), [])
  assert.equal(tokens.spend(token, "192.0.2.7"), true, "the keys are as they were")
})

test("tokens beyond what can be remembered are not taken, and no memory grows", () => {
  const tokens = new AddressTokens({ provider, capacity: 100, quota: { peer: 300, network: 300 } })
  const taken = Array.from({ length: 300 }, () => tokens.spend(tokens.issue("192.0.2.7"), "192.0.2.7"))
  assert.equal(taken.filter(Boolean).length, 100)
})

test("the network of an address is its first 24 or 56 bits, however it is written", () => {
  const same: [string, string][] = [
    ["192.0.2.1", "192.0.2.254"],
    ["192.0.2.1", "::ffff:192.0.2.9"],
    ["2001:db8:1:2200::1", "2001:db8:1:22ff:ffff::"],
    ["::1", "0:0:0:0:1::"],
    ["fe80::1%eth0", "fe80::2"],
  ]
  const apart: [string, string][] = [
    ["192.0.2.1", "192.0.3.1"],
    ["2001:db8:1:2200::1", "2001:db8:1:2300::1"],
    ["::1", "0.0.0.1"],
  ]
  for (const [one, other] of same) assert.deepEqual(prefixOf(one), prefixOf(other), `${one} ${other}`)
  for (const [one, other] of apart) assert.notDeepEqual(prefixOf(one), prefixOf(other), `${one} ${other}`)
  assert.throws(() => prefixOf("example.org"), { name: "TypeError", message: "an IP address is needed" })
})

test("a request is the first of its kind once within the window, and undecided outside of it", () => {
  const clock = clockAt(1_000_000)
  const register = new MemoryStrikeRegister({ windowMilliseconds: 10_000, now: clock.now })
  const request = id()
  assert.equal(register.strike(request, 1_000_000, ownKey), "first")
  assert.equal(register.strike(request, 1_000_000, ownKey), "copy")
  assert.equal(register.note(request), "copy", "nor does it run inside a connection")
  assert.equal(register.strike(id(), 1_010_001, ownKey), "undecided", "too far ahead")
  assert.equal(register.strike(id(), 989_999, ownKey), "undecided", "too late")
})

test("at no time within its window does a request run twice", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({ wait: fc.nat(9000), ahead: fc.integer({ min: -12_000, max: 12_000 }), known: fc.boolean() }),
        { maxLength: 60 },
      ),
      (steps) => {
        const clock = clockAt(5_000_000)
        const register = new MemoryStrikeRegister({ windowMilliseconds: 10_000, capacity: 1000, now: clock.now })
        const made: { request: Uint8Array; time: number; ran: number }[] = []
        for (const { wait, ahead, known } of steps) {
          clock.time += wait
          if (!known || made.length === 0) made.push({ request: id(), time: clock.time + ahead, ran: 0 })
          for (const entry of made) if (register.strike(entry.request, entry.time, ownKey) === "first") entry.ran++
        }
        assert.ok(made.every(({ ran }) => ran <= 1))
      },
    ),
    { numRuns: 200 },
  )
})

test("a clock that is set back does not open the window again", () => {
  const clock = clockAt(1_000_000)
  const register = new MemoryStrikeRegister({ windowMilliseconds: 1000, now: clock.now })
  const request = id()
  assert.equal(register.strike(request, 1_000_000, ownKey), "first")
  for (clock.time = 1_000_000; clock.time < 1_020_000; clock.time += 500) register.strike(id(), clock.time, ownKey)
  clock.time = 1_000_000
  assert.notEqual(register.strike(request, 1_000_000, ownKey), "first")
})

test("what a former process may have run is undecided until its window has passed, to the millisecond", () => {
  const clock = clockAt(1_000_000)
  const register = new MemoryStrikeRegister({ windowMilliseconds: 10_000, now: clock.now })
  const inherited = { inherited: true, since: 1_000_000 }
  clock.time = 1_005_000
  assert.equal(register.strike(id(), 1_010_000, inherited), "undecided")
  assert.equal(register.strike(id(), 1_010_001, inherited), "first")
})

test("a register that is full says so and forgets nothing", () => {
  const register = new MemoryStrikeRegister({ capacity: 50 })
  const requests = Array.from({ length: 80 }, id)
  const first = requests.map((request) => register.strike(request, Date.now(), ownKey))
  assert.equal(first.filter((outcome) => outcome === "first").length, 50)
  assert.equal(first.filter((outcome) => outcome === "undecided").length, 30)
  assert.ok(requests.slice(0, 50).every((request) => register.strike(request, Date.now(), ownKey) === "copy"))
})

test("a spent entry is remembered for one generation at least, and the table never grows", () => {
  const table = new SpentTable({ capacity: 1000, generationMilliseconds: 100, now: 0 })
  const before = table.memoryBytes
  for (let time = 0; time < 2000; time += 7) {
    const entry = id()
    assert.equal(table.spend(entry, time), "first")
    assert.equal(table.spend(entry, time + 99), "again")
  }
  assert.equal(table.memoryBytes, before)
})

test("a key of the day is offered for two periods, opens a little longer, and is wiped", () => {
  const clock = clockAt(0)
  const ring = new KeyRing({ provider, periodMilliseconds: 1000, overlapMilliseconds: 100, now: clock.now })
  const [first] = ring.publicKeys()
  const { privateKey } = ring.find(first!.id)!
  clock.time = 1000
  const offered = ring.publicKeys()
  assert.equal(offered.length, 2)
  assert.equal(offered[1]!.id, first!.id)
  assert.equal(offered[1]!.useUntil, 2000n)
  clock.time = 2099
  assert.ok(ring.find(first!.id))
  clock.time = 2100
  assert.equal(ring.find(first!.id), undefined)
  assert.ok(privateKey.every((octet) => octet === 0))
})

test("a ring that is taken over opens the same flights, and says that it is inherited", () => {
  const clock = clockAt(10_000)
  const ring = new KeyRing({ provider, now: clock.now })
  ring.pin(provider.random(32))
  const [key] = ring.publicKeys()
  clock.time = 20_000
  const heir = new KeyRing({ provider, now: clock.now })
  heir.import(ring.export())
  const { inherited, since, publicKey } = heir.find(key!.id)!
  assert.deepEqual([inherited, since], [true, 20_000])
  assert.deepEqual(publicKey, key!.publicKey)
  assert.equal(heir.find(0)?.pinned, true)
  assert.throws(() => heir.import(provider.random(40)), { name: "DecodeError" })
})

test("an opening is read as it was written, and nothing else is", () => {
  for (const inFlight of [true, false]) {
    for (const size of [0, 1, 1000, 1084, 1085, 40_000]) {
      const body = provider.random(size)
      const fields = { kind: Kind.request, tokensWanted: 8, requestId: id(), time: 5n, bodyLength: size }
      const [head, ...rest] = [...openingFrames(fields, body, inFlight)]
      const reader = new OpeningReader(head!)
      for (const frame of rest) reader.add(frame)
      assert.deepEqual(Buffer.from(reader.body), Buffer.from(body))
      assert.throws(() => reader.add(new Uint8Array(1)), { name: "DecodeError" })
    }
  }
  const fields = { kind: Kind.request, tokensWanted: 0, requestId: id(), time: 5n, bodyLength: 3 }
  const [frame] = [...openingFrames(fields, provider.random(3), true)]
  frame![frame!.length - 1] = 1
  assert.throws(() => new OpeningReader(frame!), { name: "DecodeError" }, "padding")
  assert.throws(() => new OpeningReader(new Uint8Array(29)), { name: "DecodeError" }, "too short")
})

test("an observer sees few lengths", () => {
  const seen = new Set(Array.from({ length: 1200 }, (_, length) => bucketFor(length + 1)))
  assert.deepEqual([...seen], [256, 512, 1200])
  assert.equal(bucketFor(1201), 2400)
})

test("what belongs to a network is forgotten with it: tokens, round trip and troubles; keys stay", () => {
  const clock = clockAt(1_000_000)
  let network = "at home"
  const memory = new ClientMemory(clock.now, () => network)
  const key = { id: 7, publicKey: provider.random(32), useUntil: 9_000_000n }
  memory.take({ time: 1_000_500n, keys: [key], tokens: [id(), id()] })
  memory.measured(40)
  for (let n = 0; n < 3; n++) memory.fastOpenFailed()
  memory.couldNotReach()
  assert.deepEqual(
    [memory.tokenCount, memory.roundTripMilliseconds, memory.fastOpenWorks(), memory.reachable()],
    [2, 40, false, false],
  )
  assert.equal(memory.serviceTime(), 1_000_500)

  network = "at work"
  clock.time += 1001
  memory.noticeNetwork()

  assert.deepEqual(
    [memory.tokenCount, memory.roundTripMilliseconds, memory.fastOpenWorks(), memory.reachable()],
    [0, undefined, true, true],
  )
  assert.equal(memory.key()?.id, 7)
})

test("what does not work is tried again later and later, and at once after it has worked", () => {
  const clock = clockAt(0)
  const memory = new ClientMemory(clock.now, () => "")
  const pauses: number[] = []
  for (let round = 0; round < 12; round++) {
    for (let n = 0; n < 3; n++) memory.fastOpenFailed()
    const start = clock.time
    while (!memory.fastOpenWorks()) clock.time += 1000
    pauses.push(clock.time - start)
  }
  assert.deepEqual(pauses.slice(0, 4), [2000, 4000, 8000, 16_000])
  assert.equal(Math.max(...pauses), 600_000)
  memory.fastOpenSucceeded()
  memory.fastOpenFailed()
  assert.equal(memory.fastOpenWorks(), true)
})

test("a client uses the newest key until the service's clock, not its own, says that it is over", () => {
  const clock = clockAt(0)
  const memory = new ClientMemory(clock.now, () => "")
  const key = (id: number, useUntil: bigint) => ({ id, publicKey: provider.random(32), useUntil })
  memory.take({ time: 5000n, keys: [key(2, 7000n), key(1, 6000n)], tokens: [] })
  assert.equal(memory.key()?.id, 2)
  memory.forgetKey(2)
  assert.equal(memory.key()?.id, 1)
  clock.time = 1000
  assert.equal(memory.key(), undefined)
})
