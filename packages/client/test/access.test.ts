import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { encode } from "@conclave/codec"
import { cipherSuite } from "@conclave/mls"
import { IntervalKeys, openWith, sealWith } from "../src/access/interval-keys.js"
import { openAnswer, openKnock, sealAnswers } from "../src/access/knocks.js"
import { entranceExtension, newcomerExtension, readNewcomer } from "../src/access/newcomer.js"
import { NEWCOMER_EXTENSION, Newcomer } from "../src/access/structs.js"
import { Intervals } from "../src/conversation/intervals.js"
import { provider } from "./support/world.js"

const suite = cipherSuite(1, provider)
const random = (length: number) => provider.random(length)
const made = () => new IntervalKeys(suite, random(suite.secretSize))

describe("the keys of an interval", () => {
  it("need a provider with Ed25519", () => {
    const without = { ...suite, provider: { ...provider, signatures: {} } }
    assert.throws(() => new IntervalKeys(without, random(suite.secretSize)), /^TypeError: the provider lacks Ed25519$/)
  })

  it("open what they have sealed for the same knock of the same group, and nothing else", () => {
    const keys = made()
    const of = { of: "answer", groupId: random(32), knock: random(16) } as const
    const sealed = keys.seal(of, Uint8Array.of(1, 2, 3), random)
    assert.deepEqual(keys.open(of, sealed), Uint8Array.of(1, 2, 3))
    assert.equal(made().open(of, sealed), undefined)
    assert.equal(keys.open({ ...of, of: "knock" }, sealed), undefined)
    assert.equal(keys.open({ ...of, groupId: random(32) }, sealed), undefined)
    assert.equal(keys.open({ ...of, knock: random(16) }, sealed), undefined)
  })

  it("open nothing of whatever length, as no key of another length does", () => {
    const keys = made()
    const of = { of: "answer", groupId: random(32), knock: random(16) } as const
    for (let length = 0; length < 40; length++)
      assert.equal(keys.open(of, random(length)), undefined, `${length} bytes`)
    const context = random(9)
    const sealed = sealWith(suite, { key: random(suite.aead.keySize), plaintext: random(9), context }, random)
    for (const length of [0, 15, 17, 32]) {
      assert.equal(openWith(suite, { key: random(length), sealed, context }), undefined, `${length} bytes`)
    }
  })
})

describe("what is sealed under a knock key", () => {
  it("is no knock where it has another form", () => {
    const [keys, groupId, id] = [made(), random(32), random(16)]
    for (const plaintext of [new Uint8Array(), random(300)]) {
      const sealed = keys.seal({ of: "knock", groupId, knock: id }, plaintext, random)
      assert.equal(openKnock(groupId, { id, key: keys.accessKey, sealed, at: 0n }, keys), undefined)
    }
  })

  it("is no answer where its key has another length", () => {
    const [keys, groupId, knock] = [made(), random(32), random(16)]
    const { welcome } = sealAnswers(suite, { welcome: random(9), groupId, to: [{ knock, keys }] }, random)
    const key = keys.seal({ of: "answer", groupId, knock }, random(suite.aead.keySize - 1), random)
    assert.equal(openAnswer(suite, { groupId, knock, keys }, { key, welcome }), undefined)
  })
})

describe("what a Welcome tells a newcomer", () => {
  const keys = made()
  const commit = random(32)
  const named = entranceExtension(commit)
  const told = { version: 1, intervalSecret: keys.secret, accessKey: keys.accessKey, head: undefined }
  const reading = (changes: Partial<Newcomer>) => {
    const extensionData = encode(Newcomer, { ...told, continues: undefined, ...changes })
    return readNewcomer(suite, [{ extensionType: NEWCOMER_EXTENSION, extensionData }, named])
  }

  it("is the interval in force, if it tells anything", () => {
    const read = readNewcomer(suite, [newcomerExtension(keys, undefined), named])
    assert.deepEqual([read?.keys.accessKey, read?.keys.secret, read?.commit], [keys.accessKey, keys.secret, commit])
    assert.equal(readNewcomer(suite, []), undefined)
    assert.equal(readNewcomer(suite, [{ extensionType: 0xf0c0, extensionData: random(9) }]), undefined)
  })

  it("is refused where it does not name its commit, with a hash", () => {
    const own = newcomerExtension(keys, undefined)
    assert.throws(() => readNewcomer(suite, [own]), /^RangeError: a Welcome that does not name its commit: /)
    for (const data of [random(31), random(33), random(0)]) {
      const cut = { ...named, extensionData: data }
      assert.throws(() => readNewcomer(suite, [own, cut]), /^DecodeError/)
    }
  })

  it("is refused where it is of a later version, or secret and key do not belong together", () => {
    assert.ok(reading({}) !== undefined)
    assert.throws(() => reading({ version: 2 }), /^RangeError: a Welcome of version 2: update$/)
    const longer = random(suite.secretSize + 1)
    const { accessKey } = new IntervalKeys(suite, longer)
    assert.throws(() => reading({ intervalSecret: longer, accessKey }), /^RangeError: .* has another length$/)
    assert.throws(() => reading({ accessKey: made().accessKey }), /^RangeError: .* does not lead to its key$/)
  })
})

describe("the intervals of a conversation", () => {
  /** With the keys of intervals 1 to `count`, and what of them is stored. */
  function numbered(count: number) {
    const records = new Set<string>()
    const step = { put: (key: string) => void records.add(key), delete: (key: string) => void records.delete(key) }
    const intervals = new Intervals()
    const keys = Array.from({ length: count }, made)
    for (const key of keys) intervals.add(step, "id", key)
    return { intervals, keys, step, records }
  }

  it("are there once, by their key", () => {
    const { intervals, keys, step, records } = numbered(2)
    for (const key of keys) intervals.add(step, "id", key)
    assert.deepEqual([intervals.size, intervals.newestNumber, records.size], [2, 2, 2])
    assert.equal(intervals.newest, keys[1])
  })

  it("are forgotten before the oldest that opens anything, but never the newest", () => {
    const { intervals, keys, step, records } = numbered(3)
    intervals.forgetBefore(step, "id", 2)
    assert.deepEqual([intervals.size, records.size, intervals.find(keys[0]!.accessKey)], [2, 2, undefined])
    assert.deepEqual(keys[0]!.secret, new Uint8Array(suite.secretSize))
    intervals.forgetBefore(step, "id", 9)
    assert.deepEqual([intervals.size, records.size, intervals.newest], [1, 1, keys[2]])
    assert.notDeepEqual(keys[2]!.secret, new Uint8Array(suite.secretSize))
  })

  it("go back to one of them, known or not", () => {
    const { intervals, keys, step, records } = numbered(3)
    intervals.goBack(step, "id", keys[1]!)
    assert.deepEqual([intervals.size, records.size, intervals.newest], [2, 2, keys[1]])
    const other = made()
    intervals.goBack(step, "id", other)
    assert.deepEqual([intervals.size, records.size, intervals.newest], [3, 3, other])
  })
})
