/** Declared codecs for the TLS presentation language: see {@link Codec}. */
export {
  alias,
  boolean,
  type DecodeOptions,
  decode,
  decodeOwned,
  type Enumeration,
  encode,
  enumeration,
  fixed,
  opaque,
  optional,
  type Registered,
  retained,
  select,
  shared,
  struct,
  uint8,
  uint16,
  uint32,
  uint64,
  union,
  utf8,
  vector,
  written,
} from "./codec.js"
export { type Codec, type Shape, snakeCase, type TypeOf } from "./declaration.js"
export { DecodeError } from "./errors.js"
export { type Contents, type PrintOptions, print } from "./print.js"
export { Reader, type Registries } from "./reader.js"
export { varintSize, Writer } from "./writer.js"
