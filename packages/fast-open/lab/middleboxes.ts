import { CLIENT_ADDRESS, Laboratory, type Middlebox, SERVER_ADDRESS } from "./laboratory.js"
import { median } from "./latency.js"
import type { Sample } from "./roles/measured.js"
import type { Served } from "./roles/sealed.js"

export interface MiddleboxRow {
  readonly middlebox: Middlebox
  /** The first request that meets the middlebox, and the median of those after it, in milliseconds. */
  readonly firstMilliseconds: number
  readonly laterMilliseconds: number
  readonly requests: number
  readonly executed: number
  /** How often the request that ran most often ran. */
  readonly most: number
}

const sealed = new URL("./roles/sealed.js", import.meta.url)
const PORT = 7500
export const middleboxes: readonly Middlebox[] = ["none", "strip", "duplicate", "reset", "drop", "delay"]

/** What each kind of middlebox costs a request: a laboratory of its own for each, as a network that a client comes to. */
export async function measureMiddleboxes(options: {
  roundTripMilliseconds: number
  requests: number
}): Promise<MiddleboxRow[]> {
  const rows: MiddleboxRow[] = []
  for (const middlebox of middleboxes) rows.push(await measureMiddlebox(middlebox, options))
  return rows
}

export async function measureMiddlebox(
  middlebox: Middlebox,
  { roundTripMilliseconds, requests }: { roundTripMilliseconds: number; requests: number },
): Promise<MiddleboxRow> {
  await using laboratory = await Laboratory.open({ roundTripMilliseconds })
  const serving = { port: PORT, host: SERVER_ADDRESS, clientAddress: CLIENT_ADDRESS }
  await laboratory.client.call(sealed, "meet", await laboratory.server.call(sealed, "serve", serving))
  // Before it meets the middlebox, the client has learnt its round trip and warmed up.
  for (let n = 0; n < 3; n++) await laboratory.client.call(sealed, "request")
  await laboratory.change({ middlebox })
  const samples: Sample[] = []
  for (let n = 0; n < requests; n++) samples.push(await laboratory.client.call<Sample>(sealed, "request"))
  const { executed, most } = await laboratory.server.call<Served>(sealed, "served")
  return {
    middlebox,
    firstMilliseconds: samples[0]!.replyMilliseconds,
    laterMilliseconds: median(samples.slice(1).map((sample) => sample.replyMilliseconds)),
    requests: requests + 3,
    executed,
    most,
  }
}

export function middleboxTable(rows: readonly MiddleboxRow[]): string {
  const cells = (values: readonly (string | number)[]) => values.map((value) => String(value).padStart(14)).join("")
  return [
    `${"data in the SYN is".padEnd(20)}${cells(["first (ms)", "later (ms)", "requests", "executed"])}`,
    ...rows.map(
      ({ middlebox, firstMilliseconds, laterMilliseconds, requests, executed }) =>
        `${words[middlebox].padEnd(20)}${cells([firstMilliseconds.toFixed(1), laterMilliseconds.toFixed(1), requests, executed])}`,
    ),
  ].join("\n")
}

const words: Record<Middlebox, string> = {
  none: "let through",
  strip: "cut off",
  duplicate: "doubled",
  reset: "answered by reset",
  drop: "dropped",
  delay: "delayed by 400 ms",
}
