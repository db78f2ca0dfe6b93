import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { badNames, goodNames } from "@conclave/testing/names"
import fc from "fast-check"
import {
  hasMixedScripts,
  isName,
  judgeDisplayName,
  judgeName,
  type NameFaultCode,
  nameFault,
  normalizeName,
  personLabel,
  shownText,
} from "../src/names.js"

describe("a name", () => {
  for (const [name, why] of Object.entries(goodNames)) {
    it(`may be ${JSON.stringify(name.slice(0, 20))}: ${why}`, () => {
      assert.equal(nameFault(name), undefined)
      assert.equal(normalizeName(name), name)
    })
  }
  for (const [name, why] of badNames) {
    it(`is not ${JSON.stringify(name.slice(0, 20))}: ${why.source}`, () => {
      assert.match(nameFault(name) ?? "", why)
      assert.match(nameFault(name) ?? "", /a name has 1 to 128 letters/, "what it may be is said too")
    })
  }

  it("is judged with a code, and with the character that is wrong", () => {
    const cases: readonly (readonly [name: string, code: NameFaultCode, character?: string])[] = [
      ["", "empty"],
      ["x".repeat(129), "tooLong"],
      ["a\u200bb", "invisible", "\u200b"],
      ["a\u0007", "control", "\u0007"],
      ["a\ud800", "surrogate", "\ud800"],
      ["a\ue000", "unassigned", "\ue000"],
      ["a\u2028b", "lineBreak", "\u2028"],
      ["a b", "space", " "],
      ["a\u3000b", "space", "\u3000"],
      ["a,b", "character", ","],
      ["ju\u0308rgen", "notComposed"],
      ["\uff41lice", "variant", "\uff41"],
      ["!!", "noLetter"],
      ["-\u0316a", "strayMark"],
      ["q\u0316\u0317\u0318\u0319\u031c\u031d\u031e", "manyMarks"],
      ["q\u0316\u0316", "doubleMark"],
    ]
    for (const [name, code, character] of cases) {
      const fault = judgeName(name)
      assert.deepEqual([fault?.code, fault?.character], [code, character], JSON.stringify(name))
      assert.equal(fault?.text, nameFault(name))
    }
    for (const [name, code] of [
      ["", "empty"],
      ["a\u200bb", "invisible"],
      ["a,b", "character"],
      ["!!", "character"],
      ["q\u0316\u0316", "doubleMark"],
    ] as const) {
      const { why, fault } = judgeDisplayName(name)
      assert.deepEqual([why?.code, why?.text], [code, fault], JSON.stringify(name))
    }
    assert.equal(judgeName("\uff41lice")?.plain, "a")
    assert.equal(judgeName("alice"), undefined)
  })

  it("is what somebody types, composed, and with its case", () => {
    assert.equal(normalizeName(" ju\u0308rgen\n"), "j\u00fcrgen")
    assert.equal(normalizeName("\u0e19\u0e49\u0e4d\u0e32"), "น้ำ", "the two halves of the vowel am are one")
    assert.equal(normalizeName("Xavier"), "Xavier")
    assert.equal(isName(normalizeName("\uff41lice")), false, "a variant is not changed silently")
  })

  it("has one spelling: whatever normalises to the same text is the same name", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 20 }), (text) => {
        const name = normalizeName(text)
        if (!isName(name)) return
        assert.equal(name.normalize("NFC"), name)
        for (const form of ["NFD", "NFC"] as const) assert.equal(normalizeName(name.normalize(form)), name)
        if (!/[\u0e33\u0eb3]/.test(name)) assert.equal(name.normalize("NFKC"), name)
        assert.doesNotMatch(name, /[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]/u)
      }),
      { numRuns: 2_000 },
    )
  })
})

describe("a display name", () => {
  const good: readonly (readonly [typed: string, text: string, mixedScripts: boolean])[] = [
    ["Alice", "Alice", false],
    ["  Anne-Marie \u00a0 O’Brien\n", "Anne-Marie O’Brien", false],
    ["\uff21lice", "Alice", false],
    ["ju\u0308rgen", "j\u00fcrgen", false],
    ["किरण देसाई", "किरण देसाई", false],
    ["အောင်ဆန်း", "အောင်ဆန်း", false],
    ["\u0e19\u0e49\u0e33", "น้ำ", false],
    ["山田 Taro さくら", "山田 Taro さくら", false],
    ["김 Kim 金", "김 Kim 金", false],
    ["ㄅㄆ Lin 林", "ㄅㄆ Lin 林", false],
    ["Ольга", "Ольга", false],
    ["\u0430lice", "\u0430lice", true],
    ["Ольга Smith", "Ольга Smith", true],
    ["さくら 김", "さくら 김", true],
    ["\u16a8lice", "\u16a8lice", true],
    ["x".repeat(64), "x".repeat(64), false],
  ]
  for (const [typed, text, mixedScripts] of good) {
    it(`may be ${JSON.stringify(typed.slice(0, 24))}${mixedScripts ? ", marked" : ""}`, () => {
      assert.deepEqual(judgeDisplayName(typed), { text, mixedScripts })
      assert.deepEqual(judgeDisplayName(text), { text, mixedScripts }, "it is in its form")
    })
  }

  const bad: readonly (readonly [text: string, why: RegExp])[] = [
    ["", /empty/],
    [" \u3000 ", /empty/],
    ["x".repeat(65), /too long/],
    ["x".repeat(100_000), /too long/],
    ["\ufdfa".repeat(4), /too long/],
    [`${" ".repeat(1_020)}Alice`, /too long/],
    // At the ends, where it would be trimmed away.
    ["\ufeffAlice", /invisible/],
    ["Alice\u2029", /line break/],
    ["\u000bAlice", /control character/],
    ["\u3164", /invisible/],
    ["Ali\u200dce", /invisible/],
    ["Alice\u202e", /invisible/],
    ["Alice\u0007", /control character/],
    ["Alice\ud800", /surrogate/],
    ["Alice (alice)", /“\(”/],
    ["bob@example.org", /“@”/],
    ["alice, bob", /“,”/],
    ["alice: hello", /“:”/],
    ["Alice ✓", /“✓”/],
    ["a \u0301b", /combining mark without a letter/],
    [". .", /neither a letter nor a digit/],
  ]
  for (const [text, why] of bad) {
    it(`is not ${JSON.stringify(text.slice(0, 24))}: ${why.source}`, () => {
      assert.match(judgeDisplayName(text).fault ?? "", why)
    })
  }

  it("that has been judged once is not changed by another judgement", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 40 }), (typed) => {
        const { text } = judgeDisplayName(typed)
        if (text !== undefined) assert.equal(judgeDisplayName(text).text, text)
      }),
      { numRuns: 2_000 },
    )
  })
})

describe("a person's label", () => {
  it("has the display name together with the name, and one of them where they are equal", () => {
    assert.equal(personLabel("alice", "Alice").text, "Alice (alice)")
    assert.equal(personLabel("alice", "alice").text, "alice")
    assert.equal(personLabel("alice").text, "alice")
  })

  it("marks mixed scripts in either", () => {
    assert.equal(personLabel("\u0430lice").text, "\u0430lice [mixed scripts]")
    assert.equal(personLabel("mallory", "\u0430lice").text, "\u0430lice (mallory) [mixed scripts]")
    assert.equal(personLabel("\u0430lice").mark, "mixed scripts")
    assert.equal(hasMixedScripts("auth0|5f7c"), false)
  })

  it("shows of an ill-formed name that it is one, and of an ill-formed display name nothing", () => {
    assert.equal(personLabel("alice\u3164").text, "alice\ufffd [not a valid name]")
    assert.ok(personLabel("x\u202e".repeat(50_000)).text.length < 200)
    assert.equal(personLabel("alice", "Bob\u202e").text, "alice")
  })

  it("cannot be written as a display name or a name", () => {
    for (const text of ["Alice (alice)", "alice [mixed scripts]"]) {
      assert.ok(judgeDisplayName(text).fault)
      assert.equal(isName(text.replace(" ", "")), false)
    }
  })
})

describe("text from others for one line", () => {
  it("is cut to so many characters, without anything that cannot be seen", () => {
    assert.equal(shownText("a title", 80), "a title")
    assert.equal(shownText("x".repeat(50_000), 10), `${"x".repeat(9)}…`)
    assert.equal(shownText("🦊".repeat(9), 4), "🦊🦊🦊…")
    assert.equal(shownText("\u001b[31mred\nline\u202e", 80), "\ufffd[31mred line\ufffd")
  })
})
