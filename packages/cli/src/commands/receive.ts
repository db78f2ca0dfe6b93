import { type ClientEvent, contentJson, contentWords, type MessageEvent } from "@conclave/client/node"
import { command, flag, optional } from "../arguments.js"
import { isCalled, labelOf } from "../conversations.js"
import { keepEvidence } from "../evidence.js"
import { exitCodes, UsageError } from "../failure.js"
import { acceptOption, waitingInvitations } from "../invitations.js"
import { drawMessage, drawReport } from "../messages.js"
import {
  asOption,
  count,
  dataOption,
  displayNameOption,
  fastOpenOptions,
  nonEmpty,
  seconds,
  serverOption,
} from "../options.js"
import type { People } from "../people.js"
import { type OpenProfile, openProfile, synchronise } from "../profile.js"
import { ReceivingRecord } from "../receiving/record.js"
import { type Progress, showProgress } from "../terminal/progress.js"
import type { Terminal } from "../terminal/terminal.js"
import { words } from "../words/words.js"

const DEFAULT_TIMEOUT_MILLISECONDS = 30_000
/** So long after a message nothing more is on its way: the end of what was waiting, or of an input in several parts. */
const QUIET_MILLISECONDS = 500

export const receive = command({
  options: {
    as: asOption,
    "display-name": displayNameOption,
    from: optional({
      placeholder: "TITLE",
      read: nonEmpty("id"),
    }),
    follow: flag(),
    count: optional({ placeholder: "N", read: count }),
    timeout: optional({
      placeholder: "S",
      read: seconds,
    }),
    lines: flag(),
    json: flag(),
    "accept-invitations": acceptOption,
    server: serverOption,
    data: dataOption,
    ...fastOpenOptions,
  },
  async run(given, { terminal }) {
    const { from, lines, json, count: countMax, ...choice } = given
    if (lines && json) throw new UsageError(words().receive.exclusive)
    const stop = new AbortController()
    for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort())
    const options = { terminal, live: true, signal: stop.signal }
    const profile = await openProfile(choice, options)
    await using client = profile.client
    await synchronise(client, choice, options)
    const form = json ? "json" : lines ? "lines" : terminal.output.isTTY ? "person" : "raw"
    const waiting = new Waiting(given, { terminal, stop })
    const receiving: Receiving = { profile, from, countMax, terminal, form, waiting, stop }
    const received = await receiveMessages(receiving)
    const invitations = waitingInvitations(client).length
    return outcome(received, { terminal, countMax, invitations, isFollowed: given.follow && !waiting.isOver })
  },
})

type Form = "json" | "lines" | "person" | "raw"

interface Receiving {
  readonly profile: OpenProfile
  readonly from: string | undefined
  readonly countMax: number | undefined
  readonly terminal: Terminal
  readonly form: Form
  readonly waiting: Waiting
  readonly stop: AbortController
}

async function receiveMessages(receiving: Receiving): Promise<number> {
  const { profile, from, countMax, terminal, form, waiting, stop } = receiving
  const { client } = profile
  const record = new ReceivingRecord(profile.file, client)
  let received = 0
  using _waiting = waiting
  for await (const event of client.events({ peek: true, signal: stop.signal })) {
    if (!isWanted(event, from)) {
      record.leave()
      continue
    }
    if (!record.has(event)) {
      if (event.type === "message") {
        waiting.pause()
        await terminal.write(formed(event, { form, terminal, people: client }))
        received++
      } else {
        const report = drawReport(event, { style: terminal.errorStyle, people: client })
        if (report !== undefined) terminal.tell(report)
        const kept = keepEvidence(event, profile.file)
        if (kept !== undefined) terminal.tell(kept)
      }
    }
    await record.add(event)
    if (received === countMax) break
    if (event.type === "message") waiting.restart()
  }
  return received
}

function isWanted({ type, conversation }: ClientEvent, from: string | undefined): boolean {
  // What it will be called is not known before it is accepted.
  return type === "invited" || from === undefined || conversation === undefined || isCalled(conversation, from)
}

interface Writing {
  readonly form: Form
  readonly terminal: Terminal
  readonly people: People
}

function formed(event: MessageEvent, { form, terminal, people }: Writing): string | Uint8Array {
  const content = event.text ?? event.bytes ?? contentWords(event)
  switch (form) {
    case "json":
      return `${JSON.stringify(asJson(event, people))}\n`
    case "person":
      return `${terminal.style.cyan(labelOf(event.conversation))} ${drawMessage(event, { style: terminal.style, people })}\n`
    case "lines": {
      const line = Buffer.from(content)
      return line.at(-1) === 0x0a ? line : Buffer.concat([line, Buffer.from("\n")])
    }
    case "raw":
      return content
  }
}

function asJson(event: MessageEvent, people: People) {
  const { conversation, messageId, seq, from, sentAt } = event
  const displayName = people.displayName(from)
  return {
    conversation: conversation.id,
    title: conversation.title,
    from,
    ...(displayName !== undefined && { displayName }),
    messageId,
    seq,
    sentAt: sentAt.toISOString(),
    ...contentJson(event),
  }
}

interface Ended {
  readonly terminal: Terminal
  readonly countMax: number | undefined
  /** How many wait for an answer. */
  readonly invitations: number
  /** It was to go on until somebody ends it, and somebody did. */
  readonly isFollowed: boolean
}

function outcome(received: number, { terminal, countMax, invitations, isFollowed }: Ended): number {
  if (received >= (countMax ?? 1) || isFollowed) return exitCodes.done
  const { nothing, only, inTime } = words().receive
  terminal.tell(inTime(received === 0 ? nothing : only(received, countMax), invitations))
  return exitCodes.nothingArrived
}

/** Ends the receiving after a time without a message. */
class Waiting implements Disposable {
  readonly #firstMilliseconds: number | undefined
  readonly #nextMilliseconds: number | undefined
  readonly #stop: AbortController
  readonly #progress: Progress | undefined
  #timer: NodeJS.Timeout | undefined
  /** Nobody ended it but the time. */
  isOver = false

  constructor(
    given: { readonly follow: boolean; readonly timeout: number | undefined; readonly count: number | undefined },
    { terminal, stop }: { readonly terminal: Terminal; readonly stop: AbortController },
  ) {
    this.#stop = stop
    this.#firstMilliseconds = given.timeout ?? (given.follow ? undefined : DEFAULT_TIMEOUT_MILLISECONDS)
    this.#nextMilliseconds = given.follow || given.count !== undefined ? this.#firstMilliseconds : QUIET_MILLISECONDS
    this.#progress = given.follow ? undefined : showProgress(terminal, words().receive.waiting)
    this.#begin(this.#firstMilliseconds)
  }

  /** While a message is written, time does not count. */
  pause(): void {
    clearTimeout(this.#timer)
    this.#progress?.[Symbol.dispose]()
  }

  restart(): void {
    this.#begin(this.#nextMilliseconds)
  }

  [Symbol.dispose](): void {
    this.pause()
  }

  #begin(milliseconds: number | undefined): void {
    clearTimeout(this.#timer)
    if (milliseconds === undefined) return
    this.#timer = setTimeout(() => {
      this.isOver = true
      this.#stop.abort()
    }, milliseconds)
  }
}
