import assert from "node:assert/strict"
import { Reader, Writer } from "@conclave/codec"
import { assertBytes, bytes, type Hex } from "./vector.js"

export interface DeserializationVector {
  readonly vlbytes_header: Hex
  readonly length: number
}

export function verify(vector: DeserializationVector): void {
  const reader = new Reader(bytes(vector.vlbytes_header))
  assert.equal(reader.varint(), vector.length)
  assert.equal(reader.remaining, 0)
  const writer = new Writer()
  writer.varint(vector.length)
  assertBytes(writer.finish(), vector.vlbytes_header, "length, written again")
}
