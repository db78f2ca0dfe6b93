import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { personLabel } from "@conclave/client/browser"
import { alike } from "../src/profile/likeness.js"
import { COLOURS, colourOf, initialsOf } from "../src/profile/person-colours.js"
import type { People } from "../src/profile/words.js"
import { Rows } from "../src/view/rows.js"

describe("rows", () => {
  const keys = Array.from({ length: 1_000 }, (_, at) => `m${at}`)

  it("stand where the measured ones and the guesses say", () => {
    const rows = new Rows()
    assert.deepEqual([rows.count, rows.total, rows.between(0, 100)], [0, 0, { first: 0, end: 0 }])
    rows.set(
      keys,
      keys.map(() => 40),
    )
    assert.equal(rows.total, 40_000)
    assert.deepEqual(rows.between(0, 100), { first: 0, end: 3 })
    assert.deepEqual(rows.between(-500, -100), { first: 0, end: 1 })
    assert.deepEqual(rows.between(39_990, 99_999), { first: 999, end: 1_000 })
    assert.equal(rows.measure("m0", 100), true)
    assert.equal(rows.measure("m0", 100), false, "nothing moves")
    assert.equal(rows.measure("m1", 40), false, "as it was guessed")
    assert.equal(rows.measure("gone", 1), false)
    assert.equal(rows.top(1), 100)
    assert.deepEqual(rows.between(99, 100), { first: 0, end: 2 })
  })

  it("keep their heights when others come before them, and are forgotten when they are long gone", () => {
    const rows = new Rows()
    rows.set(["b"], [10])
    rows.measure("b", 25)
    rows.set(["a", "b"], [10, 10])
    assert.deepEqual([rows.top(1), rows.total, rows.index("b"), rows.key(1)], [10, 35, 1, "b"])
    for (let round = 0; round < 5; round++) {
      const other = keys.map((key) => `${round}${key}`)
      rows.set(
        other,
        other.map(() => 1),
      )
      for (const key of other) rows.measure(key, 2)
    }
    rows.set(["b"], [10])
    assert.equal(rows.total, 10)
  })
})

describe("people", () => {
  it("who may be taken for one another are known, by their names and by what they are called", () => {
    const called = new Map([
      ["eve", "Alice"],
      ["ann", undefined],
    ])
    const people: People = { name: "me", called: (name) => name, label: (name) => personLabel(name, called.get(name)) }
    const cases: readonly (readonly [members: string, alike: string])[] = [
      ["alice bob carol", ""],
      ["alice a1ice bob", "alice a1ice"],
      ["alice \u0430lice", "alice \u0430lice"],
      ["alice eve", "alice eve"],
      ["modern rnodern", "modern rnodern"],
      ["a.b-c abc", "a.b-c abc"],
      ["constructor __proto__ proto toString", "__proto__ proto"],
      ["guest-1 guest-2", ""],
    ]
    for (const [members, expected] of cases) {
      assert.deepEqual(
        [...alike(members.split(" "), people)].sort(),
        expected.split(" ").filter(Boolean).sort(),
        members,
      )
    }
  })

  it("have a colour of their own, the same everywhere, and all colours are used", () => {
    assert.equal(colourOf("alice"), colourOf("alice"))
    const names = Array.from({ length: 500 }, (_, at) => `guest-${at}`)
    const counts = new Array<number>(COLOURS).fill(0)
    for (const name of [...names, "constructor", "__proto__", "toString"]) counts[colourOf(name)]!++
    assert.ok(
      counts.every((count) => count > 20),
      counts.join(),
    )
  })

  it("have letters of what they are called, of any script", () => {
    const cases = {
      alice: "A",
      "Alice Liddell": "AL",
      "किरण देसाई": "किद",
      "דנה כהן": "דכ",
      "auth0|5f7c": "A",
      "...": "?",
      "": "?",
    }
    for (const [called, initials] of Object.entries(cases)) {
      const letters = initialsOf(called)
      assert.equal(letters.normalize("NFC"), called.startsWith("किरण") ? letters : initials, called)
      assert.ok([...letters].length <= 4)
    }
    assert.ok([...initialsOf(`${"a\u0301\u0301\u0301 ".repeat(500)}`)].length <= 4)
  })
})
