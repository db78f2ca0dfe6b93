import { noPostgres, startPostgres } from "@conclave/testing/servers"
import { Child } from "./child.js"
import { Histogram } from "./histogram.js"
import { openLines, together } from "./line.js"
import { answered, createGroups, messageRequest } from "./requests.js"
import { alternate, compared, perSecond } from "./rounds.js"
import type { Found, Scenario, Setting } from "./scenario.js"
import { cpuOfTree } from "./usage.js"

const GATEWAYS = 4
const WRITERS = 64
const LINES = 16
const GROUPS = 500
const [ONE, FOUR] = ["one gateway", "four gateways"]

/** Several gateways on one database, beside one of them alone, under the same load. */
export const gateways: Scenario = {
  name: "gateways",
  title: "Four gateways beside one, on PostgreSQL",
  async run(setting: Setting): Promise<Found> {
    if (noPostgres !== undefined) return { measurements: [], notes: [noPostgres] }
    await using server = await startPostgres({ settings: { max_connections: "200", shared_buffers: "'128MB'" } })
    const database = await server.url("gateways")
    const children: Child[] = []
    // One after the other: the first makes the tables.
    for (let gateway = 0; gateway < GATEWAYS; gateway++) {
      children.push(await Child.start({ kind: "conclave", database }))
    }
    const each = await Promise.all(children.map(({ url }) => openLines(url, LINES)))
    const [one, four] = [together(each[0]!), together(each.flatMap((lines) => lines.slice(0, LINES / GATEWAYS)))]
    setting.progress("making groups")
    const groups = await createGroups(setting.isQuick ? 50 : GROUPS, one)
    const count = setting.isQuick ? 300 : 4_000
    let requests: Uint8Array[] = []
    const cpu = { gateways: new Map<string, number[]>(), database: new Map<string, number[]>() }
    const cpuNow = async () => {
      const used = await Promise.all(children.map((child) => child.usage()))
      return { gateways: used.reduce((sum, it) => sum + it.cpu, 0), database: cpuOfTree(server.processId) }
    }
    const note = (to: Map<string, number[]>, name: string, microseconds: number) =>
      to.set(name, [...(to.get(name) ?? []), microseconds / count])
    const contestant = (name: string, { ask }: typeof one, histogram: Histogram) => ({
      name,
      prepare() {
        const make = (_: unknown, number: number) => messageRequest(groups[number % groups.length]!, { number })
        requests = Array.from({ length: count }, make)
      },
      async round() {
        const then = await cpuNow()
        const rate = await perSecond({ writers: WRITERS, count }, async (index) => {
          const started = performance.now()
          await answered(ask, requests[index]!, "accepted")
          histogram.add(performance.now() - started)
        })
        const now = await cpuNow()
        note(cpu.gateways, name, now.gateways - then.gateways)
        note(cpu.database, name, now.database - then.database)
        return rate
      },
    })
    const [ofOne, ofFour] = [new Histogram(), new Histogram()]
    setting.progress("appending")
    const contestants = [contestant(ONE, one, ofOne), contestant(FOUR, four, ofFour)]
    // Statements are prepared and connections made, which is not counted.
    await alternate(contestants, 1)
    for (const it of [ofOne, ofFour, cpu.gateways, cpu.database]) it.clear()
    const values = await alternate(contestants, setting.rounds)
    for (const line of each.flat()) line.close()
    for (const child of children) await child[Symbol.asyncDispose]()
    const [p99Of4, p99Of1] = [ofFour.quantile(0.99), ofOne.quantile(0.99)]
    return {
      measurements: [
        {
          what: "appends through four",
          unit: "/s",
          ...compared(values, FOUR, ONE),
          goal: { atLeast: 1 },
        },
        {
          what: "p99 of an append",
          value: p99Of4,
          unit: "ms",
          beside: { what: ONE, value: p99Of1 },
          ratio: p99Of4 / p99Of1,
        },
        { what: "CPU of the gateways, each append", unit: "µs", ...compared(cpu.gateways, FOUR, ONE) },
        { what: "CPU of PostgreSQL, each append", unit: "µs", ...compared(cpu.database, FOUR, ONE) },
      ],
      latencies: [ofOne.latencies(ONE), ofFour.latencies(FOUR)],
      notes: [`${WRITERS} writers over ${LINES} WebSockets. Gateways, database and writers share the machine's cores.`],
    }
  },
}
