import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { Writer } from "../src/index.js"

describe("a writer that has to grow in the middle of a value", () => {
  const values: Readonly<Record<string, [(writer: Writer) => void, number[]]>> = {
    uint8: [(writer) => writer.uint8(0xab), [0xab]],
    uint16: [(writer) => writer.uint16(0xabcd), [0xab, 0xcd]],
    uint32: [(writer) => writer.uint32(0xabcdef01), [0xab, 0xcd, 0xef, 0x01]],
    uint64: [(writer) => writer.uint64(0xabn << 56n), [0xab, 0, 0, 0, 0, 0, 0, 0]],
    varint: [(writer) => writer.varint(0x1234), [0x52, 0x34]],
    bytes: [(writer) => writer.bytes(new Uint8Array([0xab, 0xcd])), [0xab, 0xcd]],
  }
  for (const [name, [write, expected]] of Object.entries(values)) {
    it(`keeps the ${name} that did not fit any more`, () => {
      for (let before = 0; before <= 16; before++) {
        const writer = new Writer(16)
        for (let i = 0; i < before; i++) writer.uint8(0xff)
        write(writer)
        assert.deepEqual([...writer.finish()], [...new Array(before).fill(0xff), ...expected])
      }
    })
  }
})
