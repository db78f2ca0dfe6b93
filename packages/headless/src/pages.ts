import type { Conversation, Message } from "@conclave/client"

type History = Pick<Conversation, "history">

/**
 * The first `limit` messages after a place, in their order. A history is read backwards; places grow with gaps, which may be
 * wide. So it is asked for pieces that begin at the place and double until there is something in them, and halve until
 * nothing is left out: at most about a hundred questions, each for `limit` messages.
 */
export async function messagesAfter(conversation: History, after: number, limit: number): Promise<readonly Message[]> {
  const [last] = await conversation.history({ limit: 1 })
  if (last === undefined || last.seq <= after) return []
  let found: readonly Message[] = []
  let from = after
  while (found.length < limit && from < last.seq) {
    const { messages, until } = await piece(conversation, from, { limit, last: last.seq })
    found = [...found, ...messages]
    from = until
  }
  return found.slice(0, limit)
}

/** All messages with `after` < seq <= `until`, where there are some, and at most `limit`. */
async function piece(
  conversation: History,
  after: number,
  { limit, last }: { readonly limit: number; readonly last: number },
): Promise<{ readonly messages: readonly Message[]; readonly until: number }> {
  /** Nothing is in the first `empty` places; in the first `full` there is something. */
  let empty = 0
  let full: number | undefined
  for (let width = limit; ; ) {
    const until = Math.min(after + width, last)
    const page = await conversation.history({ before: until + 1, limit })
    const messages = page.filter(({ seq }) => seq > after)
    // The page reaches back to the place or to the beginning, or there are no more places than messages in a page.
    const isWhole = messages.length < page.length || page.length < limit || until - after - empty <= limit
    if (messages.length === 0 && until < last) empty = width
    else if (isWhole) return { messages, until }
    else full = messages[0]!.seq - after
    width = full === undefined ? 2 * width : empty + Math.ceil((full - empty) / 2)
  }
}

/**
 * The place of the first message that was sent at `at` or later, as far as the senders' clocks go forward; `undefined`
 * where there is none. About 50 questions for one message each.
 */
export async function firstSince(conversation: History, at: Date): Promise<number | undefined> {
  const [last] = await conversation.history({ limit: 1 })
  if (last === undefined || last.sentAt < at) return undefined
  // Everything at or before `early` is too early; the message at `late` is not.
  let early = -1
  let late = last.seq
  while (late - early > 1) {
    const middle = early + Math.floor((late - early) / 2)
    const [message] = await conversation.history({ before: middle + 1, limit: 1 })
    if (message === undefined || message.seq <= early || message.sentAt < at) early = middle
    else late = message.seq
  }
  return late
}
