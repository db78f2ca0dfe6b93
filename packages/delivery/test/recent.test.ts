import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { Recent } from "../src/recent.js"

describe("a map of what was used recently", () => {
  it("keeps the half that was used last, with the newest values", () => {
    const recent = new Recent<number>(8)
    for (let number = 0; number < 100; number++) {
      recent.set(`${number}`, -1)
      recent.set(`${number}`, number)
      for (let kept = Math.max(0, number - 3); kept <= number; kept++) assert.equal(recent.get(`${kept}`), kept)
    }
  })

  it("has forgotten whatever as many others were used after", () => {
    const recent = new Recent<number>(8)
    for (let number = 0; number < 100; number++) {
      recent.set(`${number}`, number)
      assert.equal(recent.get(`${number - 8}`), undefined)
    }
  })

  it("keeps what is looked at again and again", () => {
    const recent = new Recent<string>(8)
    recent.set("kept", "value")
    for (let number = 0; number < 100; number++) {
      recent.set(`${number}`, "other")
      assert.equal(recent.get("kept"), "value")
    }
    for (let number = 0; number < 8; number++) recent.set(`more ${number}`, "other")
    assert.equal(recent.get("kept"), undefined)
  })
})
