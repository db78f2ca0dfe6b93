import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { type RefusalCode, refusalIn, refusalText } from "../src/refusals.js"

describe("a refusal", () => {
  const cases: readonly (readonly [code: RefusalCode, detail: string])[] = [
    ["suspended", "sends spam: 20 devices already"],
    ["suspended", ""],
    ["clock", ""],
    ["devices", "20"],
    ["devicesToday", ""],
    ["outdated", ""],
  ]
  for (const [code, detail] of cases) {
    it(`is known by its text, also in a sentence of the client: ${code}${detail}`, () => {
      const text = refusalText(code, detail)
      assert.deepEqual(refusalIn(text), { code, detail })
      assert.deepEqual(refusalIn(`the directory refused the name: ${text}`), { code, detail })
    })
  }

  it("is not known of other texts", () => {
    for (const text of ["", "name: it has 3", "signatureKey: it speaks for another name", "the operator"]) {
      assert.equal(refusalIn(text), undefined, text)
    }
  })

  it("has texts that stay as they are: clients of every version show them", () => {
    assert.deepEqual(
      cases.map(([code, detail]) => refusalText(code, detail)),
      [
        "the operator has suspended this name: sends spam: 20 devices already",
        "the operator has suspended this name: ",
        "at: it is in the future",
        "name: it has 20 devices already",
        "name: it has had many devices, and gets one more a day",
        "this client is too old for the service: update it",
      ],
    )
  })
})
