import { CLIENT_ADDRESS, Laboratory, SERVER_ADDRESS } from "./laboratory.js"
import { forge, record } from "./recorded.js"
import type { Served } from "./roles/sealed.js"

export interface ReplayReport {
  readonly replays: number
  /** Executions of the one request, in the server's first and its second life. */
  readonly executedBefore: number
  readonly executedAfterRestart: number
  readonly answered: number
}

const sealed = new URL("./roles/sealed.js", import.meta.url)
const replayer = new URL("./roles/replayer.js", import.meta.url)
const PORT = 7600
const WARM_UP = 3
const OTHER_ADDRESS = "10.77.1.99"

/**
 * One request, and its first flight recorded and sent again: before the original arrives, while it runs, after it, and
 * to a server that was restarted with the same keys; as bare packets and over whole connections; from the client's
 * address and from another one.
 */
export async function measureReplays(times: number): Promise<ReplayReport> {
  await using laboratory = await Laboratory.open({ roundTripMilliseconds: 20 })
  laboratory.addClientAddress(OTHER_ADDRESS)
  const serving = { port: PORT, host: SERVER_ADDRESS, clientAddress: CLIENT_ADDRESS, workMilliseconds: 150 }
  await laboratory.client.call(sealed, "meet", await laboratory.server.call(sealed, "serve", serving))
  for (let n = 0; n < WARM_UP; n++) await laboratory.client.call(sealed, "request")
  const share = Math.ceil(times / 9)
  let answered = 0
  const replay = async (data: Uint8Array) => {
    for (const address of [CLIENT_ADDRESS, OTHER_ADDRESS]) {
      const target = { host: SERVER_ADDRESS, port: PORT, address, data, times: share }
      answered += await laboratory.client.call<number>(replayer, "replay", target)
    }
  }
  const inject = (packet: Buffer) =>
    laboratory.inject(
      Array.from({ length: share }, (_, n) => forge(packet, n % 2 === 0 ? {} : { address: OTHER_ADDRESS })),
    )

  // Recorded, but dropped on the way: what arrives first is a replay, and the client's own second attempt a copy.
  await laboratory.change({ middlebox: "drop" })
  let asked: Promise<unknown> = Promise.resolve()
  const [flight] = await record(laboratory, async () => {
    asked = laboratory.client.call(sealed, "request").catch((error: unknown) => error)
    await new Promise((resolve) => setTimeout(resolve, 30))
  })
  if (flight === undefined) throw new Error("no first flight was seen")
  await laboratory.change({ middlebox: "none" })
  await inject(flight.packet)
  await replay(flight.data)
  const reply = await asked
  if (reply instanceof Error) throw reply
  await inject(flight.packet)
  await replay(flight.data)
  const before = await laboratory.server.call<Served>(sealed, "served")

  const ring = await laboratory.server.call<Uint8Array>(sealed, "exportRing")
  await laboratory.restartServer()
  await laboratory.server.call(sealed, "serve", { ...serving, ring })
  await inject(flight.packet)
  await replay(flight.data)
  const after = await laboratory.server.call<Served>(sealed, "served")
  return {
    replays: 3 * share + 6 * share,
    executedBefore: before.executed - WARM_UP,
    executedAfterRestart: after.executed,
    answered,
  }
}

export function replayTable(report: ReplayReport): string {
  return [
    `${report.replays} replays of one first flight, ${report.answered} of them answered with the first result or told to ask again`,
    `executed before the server's restart  ${report.executedBefore}`,
    `executed after it                     ${report.executedAfterRestart}`,
  ].join("\n")
}
