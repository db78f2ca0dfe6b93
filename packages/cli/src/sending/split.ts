/** Of one message: what the SDK takes. */
export const MESSAGE_SIZE_MAX = 64 * 1024
/** Of one input. */
export const INPUT_SIZE_MAX = 16 * 1024 * 1024

const NEWLINE = 0x0a

/**
 * The messages that together are `input`, byte for byte: text where all of it is UTF-8, cut behind a line where one
 * ends in the second half of a message.
 */
export function split(input: Uint8Array): readonly (string | Uint8Array)[] {
  const isText = textOf(input) !== undefined
  const parts: (string | Uint8Array)[] = []
  for (let begin = 0; begin < input.length; ) {
    const rest = input.subarray(begin, begin + MESSAGE_SIZE_MAX)
    const isLast = begin + rest.length === input.length
    const part = isLast || !isText ? rest : rest.subarray(0, textEnd(input.subarray(begin)))
    parts.push(isText ? textOf(part)! : part)
    begin += part.length
  }
  return parts
}

/** `undefined` where the bytes are not UTF-8. A byte order mark is a character like any other. */
function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

function textEnd(rest: Uint8Array): number {
  const line = rest.lastIndexOf(NEWLINE, MESSAGE_SIZE_MAX - 1) + 1
  if (line > MESSAGE_SIZE_MAX / 2) return line
  let end = MESSAGE_SIZE_MAX
  // A byte 10xxxxxx continues the character before it.
  while ((rest[end]! & 0xc0) === 0x80) end--
  return end
}
