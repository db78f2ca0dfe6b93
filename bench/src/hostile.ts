import { duration, median, ratio, table, timedSync } from "./contest.js"

/*
 * How long the worst messages block whoever receives them. They are made by the tests of `mls`, with its inside in their
 * hands: they are loaded by name, and what is asked of them is written down here.
 */

interface Hostile {
  readonly name: string
  readonly size: number
  readonly signatures: number
  readonly prepare: () => () => unknown
  readonly decode: () => unknown
}

interface Forgery {
  readonly name: string
  readonly receive: (message: Uint8Array) => unknown
  readonly decode: (message: Uint8Array) => unknown
  readonly next: () => Uint8Array
}

interface Messages {
  hostileMessages(size: number): Hostile[]
  hostileTrees(size: number): Hostile[]
  forgeries(size: number): Forgery[]
  oneSignature(): () => unknown
  outcome(result: unknown): string
}

const load = async (path: string): Promise<Messages> => import(new URL(path, import.meta.url).href)

/** Milliseconds that nothing but this may take. */
const BLOCKED_MAX = 250
const FORGED_MAX = 1

/** In a group of `size`: each kind of message, against the signatures that it makes everybody verify. */
export async function hostile(size: number, rounds: number): Promise<void> {
  const messages = await load("../../../packages/mls/dist/fuzz/hostile.js")
  const verify = messages.oneSignature()
  const one = median(Array.from({ length: 200 }, () => timedSync(verify)))
  const kinds = [...messages.hostileMessages(size), ...messages.hostileTrees(size)]
  const rows = kinds.map((kind) => row(kind, messages, one, rounds))
  console.log(
    `\nWorst messages of at most 1 MiB in a group of ${size}: medians of ${rounds}; over ${BLOCKED_MAX} ms: !`,
  )
  console.log(table([["", "outcome", "bytes", "blocks", "decoding", "signatures", "floor", "÷ floor"], ...rows]))
  console.log(`\nForged messages in a group of ${size}, 200 in a row: beyond their decoding; over ${FORGED_MAX} ms: !`)
  console.log(
    table([
      ["", "outcome", "first", "mean", "slowest"],
      ...messages.forgeries(size).map((kind) => forged(kind, messages)),
    ]),
  )
}

/** The floor of a message: its decoding, and the signatures that somebody has to have verified. */
function row(kind: Hostile, { outcome }: Messages, one: number, rounds: number): string[] {
  const { name, size, signatures, prepare, decode } = kind
  const result = outcome(prepare()())
  const blocks = median(Array.from({ length: rounds }, () => timedSync(prepare())))
  const decoding = median(Array.from({ length: rounds }, () => timedSync(decode)))
  const floor = decoding + signatures * one
  const mark = blocks > BLOCKED_MAX ? "! " : ""
  // Where hardly anything is to be verified, what takes the time is something else: key schedule, hashes, a path.
  const compared = signatures > 2 ? [duration(floor), ratio(blocks / floor)] : ["", ""]
  const times = [mark + duration(blocks), duration(decoding), `${signatures}`, ...compared]
  return [name, result, `${size}`, ...times]
}

function forged({ name, receive, decode, next }: Forgery, { outcome }: Messages): string[] {
  let result = ""
  const beyond = Array.from({ length: 200 }, () => {
    const message = next()
    const decoding = timedSync(() => decode(message))
    const received = timedSync(() => {
      result = outcome(receive(message))
    })
    return Math.max(0, received - decoding)
  })
  const mean = beyond.reduce((sum, it) => sum + it, 0) / beyond.length
  return [
    name,
    result,
    ...[beyond[0]!, mean, Math.max(...beyond)].map((it) => (it > FORGED_MAX ? "! " : "") + duration(it)),
  ]
}
