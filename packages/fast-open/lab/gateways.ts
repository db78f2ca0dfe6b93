import { randomBytes } from "node:crypto"
import { chmodSync } from "node:fs"
import { connect, createServer, type Socket } from "node:net"
import { join } from "node:path"
import { type PostgresServer, startPostgres } from "@conclave/testing/servers"
import { TemporaryFolder } from "./interruption.js"
import { CLIENT_ADDRESS, Laboratory, SERVER_ADDRESS } from "./laboratory.js"
import { forge, record } from "./recorded.js"
import type { Served } from "./roles/sealed.js"

export interface GatewaysReport {
  readonly requests: number
  /** Runs from first flights of these, at each gateway. */
  readonly early: readonly number[]
  /** First packets with data, and those that an address token of whichever gateway was good for. */
  readonly synData: readonly number[]
  readonly byToken: readonly number[]
  readonly replays: number
  /** Runs of the recorded request, at all gateways. */
  readonly executed: number
  /** Of a request to a gateway whose way to the register is cut. */
  readonly whileCut: { readonly executed: number; readonly early: number; readonly afterReplays: number }
}

const sealed = new URL("./roles/sealed.js", import.meta.url)
const replayer = new URL("./roles/replayer.js", import.meta.url)
const PORT = 7600
const OTHER_ADDRESS = "10.77.1.99"
const GATEWAYS = 2

/**
 * Two gateways behind one address, on one database, with shared keys. Packets are balanced and connections are not, so data in
 * a SYN arrives. A request is asked at one gateway; its recorded flight is sent to the other, and to both.
 */
export async function measureGateways({ requests = 20, times = 90 } = {}): Promise<GatewaysReport> {
  await using postgres = await startPostgres()
  await using laboratory = await Laboratory.open({ roundTripMilliseconds: 20 }, {}, { servers: GATEWAYS })
  laboratory.addClientAddress(OTHER_ADDRESS)
  const secret = randomBytes(32)
  const ways: DatabaseWay[] = []
  let offer: unknown
  try {
    for (const server of laboratory.servers) {
      const way = await DatabaseWay.open(postgres)
      ways.push(way)
      const serving = { port: PORT, host: SERVER_ADDRESS, clientAddress: CLIENT_ADDRESS }
      offer = await server.call(sealed, "serve", { ...serving, shared: { url: way.url, secret } })
    }
    await laboratory.client.call(sealed, "meet", offer)
    const served = () => Promise.all(laboratory.servers.map((server) => server.call<Served>(sealed, "served")))
    const sum = (all: readonly Served[], of: (one: Served) => number) => all.reduce((total, one) => total + of(one), 0)
    const request = () => laboratory.client.call(sealed, "request")
    for (let n = 0; n < requests; n++) await request()
    const spread = await served()

    const share = Math.ceil(times / 6)
    const replay = async ({ packet, data }: { packet: Buffer; data: Uint8Array }) => {
      await laboratory.inject(Array.from({ length: share }, () => forge(packet)))
      for (const address of [CLIENT_ADDRESS, OTHER_ADDRESS]) {
        await laboratory.client.call(replayer, "replay", {
          host: SERVER_ADDRESS,
          port: PORT,
          address,
          data,
          times: share,
        })
      }
    }
    await laboratory.change({ gateway: 0 })
    const [flight] = await record(laboratory, async () => void (await request()))
    if (flight === undefined) throw new Error("no first flight was seen")
    await laboratory.change({ gateway: 1 })
    await replay(flight)
    await laboratory.change({ gateway: null })
    await replay(flight)
    const replayed = await served()

    ways[1]!.cut()
    await laboratory.change({ gateway: 1 })
    const [late] = await record(laboratory, async () => void (await request()))
    const cut = await served()
    if (late !== undefined) await replay(late)
    const after = await served()
    return {
      requests,
      early: spread.map((one) => one.early),
      synData: spread.map((one) => one.admissions.synData),
      byToken: spread.map((one) => one.admissions.byToken),
      replays: 6 * share,
      executed: sum(replayed, (one) => one.executed) - sum(spread, (one) => one.executed),
      whileCut: {
        executed: sum(cut, (one) => one.executed) - sum(replayed, (one) => one.executed),
        early: sum(cut, (one) => one.early) - sum(replayed, (one) => one.early),
        afterReplays: sum(after, (one) => one.executed) - sum(cut, (one) => one.executed),
      },
    }
  } finally {
    for (const way of ways) way[Symbol.dispose]()
  }
}

export function gatewaysTable(report: GatewaysReport): string {
  const { whileCut } = report
  return [
    `${report.requests} requests, ran early at each gateway              ${report.early.join(" + ")}`,
    `their first packets that brought data                  ${report.synData.join(" + ")}`,
    `answered by a token, of whichever gateway              ${report.byToken.join(" + ")}`,
    `${report.replays} replays of one flight, to the other gateway and both: it ran ${report.executed} times`,
    `register cut off: the request ran ${whileCut.executed} times, ${whileCut.early} of them from its first flight`,
    `its flight replayed there                              ${whileCut.afterReplays} runs more`,
  ].join("\n")
}

/** A Unix socket is reached from every namespace: a gateway's own way to the database, which can be cut. */
class DatabaseWay implements Disposable {
  readonly url: string
  readonly #folder: TemporaryFolder
  readonly #sockets = new Set<Socket>()
  readonly #server
  #isCut = false

  private constructor(port: number, folder: TemporaryFolder) {
    this.#folder = folder
    chmodSync(folder.path, 0o700)
    this.url = `postgres:///gateways?host=${encodeURIComponent(folder.path)}&user=conclave`
    this.#server = createServer((near) => {
      const far = connect(port, "127.0.0.1")
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(from)
        from.on("error", () => {})
        from.on("close", () => to.destroy())
        if (!this.#isCut) from.pipe(to)
      }
    })
  }

  static async open(postgres: PostgresServer): Promise<DatabaseWay> {
    await postgres.url("gateways")
    const way = new DatabaseWay(postgres.port, new TemporaryFolder("database-"))
    await new Promise<void>((resolve) => way.#server.listen(join(way.#folder.path, ".s.PGSQL.5432"), resolve))
    return way
  }

  /** As a cable is: nothing passes any more, and nobody is told. */
  cut(): void {
    this.#isCut = true
    for (const socket of this.#sockets) {
      socket.unpipe()
      socket.pause()
    }
  }

  [Symbol.dispose](): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    this.#folder[Symbol.dispose]()
  }
}
