import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { shared } from "../src/share.js"

describe("what has not changed", () => {
  it("is the same object, in whatever it stands", () => {
    const bytes = Uint8Array.of(1)
    const make = (text: string) => ({
      list: [
        { key: "a", text: "a" },
        { key: "b", text, at: new Date(1) },
      ],
      bytes,
    })
    const before = shared(undefined, make("b"))
    assert.equal(shared(before, make("b")), before)
    const after = shared(before, make("c"))
    assert.notEqual(after, before)
    assert.notEqual(after.list, before.list)
    assert.equal(after.list[0], before.list[0])
    assert.deepEqual(after, make("c"))
  })

  it("is known by its key, wherever it stands in a list", () => {
    const before = shared(undefined, [{ key: "b", n: 1 }])
    const after = shared(before, [
      { key: "a", n: 0 },
      { key: "b", n: 1 },
    ])
    assert.equal(after[1], before[0])
    const without = shared(after, [{ key: "b", n: 1 }])
    assert.equal(without[0], before[0])
    assert.equal(without.length, 1)
  })

  it("is not what has one part less, another type, or another value", () => {
    for (const [one, other] of [
      [{ a: 1, b: undefined }, { a: 1 }],
      [{ a: 1 }, { a: 1, b: undefined }],
      [[], {}],
      [{}, undefined],
      [[1], [1, 2]],
      [[1, 2], [1]],
      [new Date(1), new Date(2)],
      [Uint8Array.of(1), Uint8Array.of(1)],
      [{ a: "1" }, { a: 1 }],
      [null, {}],
    ]) {
      const next = shared(shared(undefined, one), other)
      assert.deepEqual(next, other)
      assert.notEqual(next, one)
    }
  })

  it("cannot be changed, nor can what has", () => {
    const value = shared<{ list: { n: number }[] }>(undefined, { list: [{ n: 1 }] })
    assert.throws(() => value.list.push({ n: 2 }), TypeError)
    assert.throws(() => {
      value.list[0]!.n = 2
    }, TypeError)
  })
})
