import type { CustomTypesConfig } from "pg"

export type SqlValue = Uint8Array | bigint | number | string | boolean | null
export type Row = Readonly<Record<string, any>>

/** As `pg_type` numbers them. */
const OID = { bool: 16, bytea: 17, int8: 20, int2: 21, int4: 23, text: 25, float8: 701 } as const

/** Integers of 8 bytes come out as `bigint`, bytes as `Uint8Array` of their own memory, anything else as text. */
export const types = {
  getTypeParser(oid: number) {
    return parsers[oid] ?? ((text: string) => text)
  },
} as CustomTypesConfig

const parsers: Readonly<Record<number, (text: string) => unknown>> = {
  [OID.bool]: (text) => text === "t",
  [OID.int8]: BigInt,
  [OID.int2]: Number,
  [OID.int4]: Number,
  [OID.float8]: Number,
  [OID.bytea]: bytesOf,
}

/** `\x` and hexadecimal digits: the driver has no binary results. */
function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length / 2 - 1)
  Buffer.from(bytes.buffer).write(text.slice(2), "hex")
  return bytes
}

/** An array of the database, as one parameter. */
export const bytesArray = (values: readonly (Uint8Array | null)[]) =>
  arrayOf(OID.bytea, values, {
    sizeOf: (value) => value.length,
    write: (value, buffer, at) => buffer.set(value, at),
  })
export const textArray = (values: readonly (string | null)[]) =>
  arrayOf(
    OID.text,
    values.map((value) => (value === null ? null : Buffer.from(value))),
    { sizeOf: (value) => value.length, write: (value, buffer, at) => buffer.set(value, at) },
  )
export const bigintArray = (values: readonly (bigint | null)[]) =>
  arrayOf(OID.int8, values, { sizeOf: () => 8, write: (value, buffer, at) => buffer.writeBigInt64BE(value, at) })
export const integerArray = (values: readonly number[]) =>
  arrayOf(OID.int4, values, { sizeOf: () => 4, write: (value, buffer, at) => buffer.writeInt32BE(value, at) })
export const doubleArray = (values: readonly number[]) =>
  arrayOf(OID.float8, values, { sizeOf: () => 8, write: (value, buffer, at) => buffer.writeDoubleBE(value, at) })
export const booleanArray = (values: readonly boolean[]) =>
  arrayOf(OID.bool, values, { sizeOf: () => 1, write: (value, buffer, at) => buffer.writeUInt8(value ? 1 : 0, at) })

interface Element<T> {
  sizeOf(value: T): number
  write(value: T, buffer: Buffer, at: number): void
}

/**
 * The binary format of an array with one dimension (`array_recv` of PostgreSQL):
 *
 * ```
 *   dimensions 1 ‖ has null ‖ element type ‖ length ‖ first index 1 ‖ { size or -1 ‖ element }*      each number 4 bytes
 * ```
 */
function arrayOf<T>(oid: number, values: readonly (T | null)[], { sizeOf, write }: Element<T>): Buffer {
  const size = values.reduce((sum, value) => sum + 4 + (value === null ? 0 : sizeOf(value)), HEADER_SIZE)
  const buffer = Buffer.allocUnsafe(size)
  const header = [1, values.includes(null) ? 1 : 0, oid, values.length, 1]
  let at = 0
  for (const number of header) at = buffer.writeInt32BE(number, at)
  for (const value of values) {
    const length = value === null ? 0 : sizeOf(value)
    at = buffer.writeInt32BE(value === null ? -1 : length, at)
    if (value !== null) write(value, buffer, at)
    at += length
  }
  return buffer
}

const HEADER_SIZE = 20
