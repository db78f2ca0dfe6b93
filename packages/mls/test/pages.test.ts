import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { nodeIndex } from "../src/indexes.js"
import { NodeHashes } from "../src/tree/node-hashes.js"
import { PAGE_SIZE, PagedArray } from "../src/tree/pages.js"

const lengthMax = 4 * PAGE_SIZE
const change = fc.record({
  on: fc.nat(3),
  kind: fc.constantFrom("set", "forget", "copy", "resize"),
  at: fc.nat(lengthMax - 1),
  value: fc.integer({ min: 1, max: 255 }),
})

test("copies of a paged array, and of node hashes, never see what the others write", () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
      const start = Array.from({ length: lengthMax }, (_, i) => i)
      const copies = [
        { paged: PagedArray.of(start), hashes: new NodeHashes(2, lengthMax), model: start, known: new Map() },
      ]
      for (const { on, kind, at, value } of changes) {
        const it = copies[on % copies.length]!
        const node = nodeIndex(at)
        if (kind === "copy") {
          copies.push({
            paged: it.paged.copy(),
            hashes: it.hashes.copy(),
            model: it.model.slice(),
            known: new Map(it.known),
          })
        } else if (kind === "resize") {
          resize(it.model, at)
          it.paged.resize(at)
          it.hashes.resize(at)
          for (const known of it.known.keys()) if (known >= at) it.known.delete(known)
        } else if (at < it.model.length && kind === "set") {
          it.model[at] = value
          it.paged.set(at, value)
          it.hashes.set(node, Uint8Array.of(value, value))
          it.known.set(at, value)
        } else if (at < it.model.length) {
          it.hashes.forget(node)
          it.known.delete(at)
        }
        if (it.model.length < lengthMax && kind === "resize" && value > 128) {
          resize(it.model, lengthMax)
          it.paged.resize(lengthMax)
          it.hashes.resize(lengthMax)
        }
      }
      for (const { paged, hashes, model, known } of copies) {
        assert.equal(paged.length, model.length)
        for (let i = 0; i < lengthMax; i++) {
          assert.equal(paged.get(i), model[i])
          const value = known.get(i)
          assert.deepEqual(hashes.get(nodeIndex(i)), value === undefined ? undefined : Uint8Array.of(value, value))
        }
      }
    }),
    { numRuns: 60 },
  )
})

function resize(model: (number | undefined)[], length: number): void {
  while (model.length < length) model.push(undefined)
  model.length = length
}
