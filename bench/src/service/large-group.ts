import { join } from "node:path"
import { median } from "../contest.js"
import { Child } from "./child.js"
import { Histogram } from "./histogram.js"
import { Line, openLines } from "./line.js"
import { answered, createGroups, type Group, messageRequest, numbersIn, subscribeRequest } from "./requests.js"
import type { Measurement } from "./results.js"
import { paced, pause, until } from "./rounds.js"
import type { Found, Scenario, Setting } from "./scenario.js"
import { usage } from "./usage.js"

const RATE = 50
const WARM_UP_SECONDS = 2

/** One group with very many subscribers: how long a message takes to all of them. */
export const largeGroup: Scenario = {
  name: "large-group",
  title: "One large group: from append to arrival",
  async run(setting: Setting): Promise<Found> {
    const [steady, many] = setting.isQuick ? [100, 1_000] : [1_000, 10_000]
    const seconds = setting.isQuick ? 2 : 10
    setting.progress(`${steady} subscribers`)
    const flow = await steadyFlow(setting, { subscribers: steady, seconds })
    setting.progress(`${many} subscribers`)
    const times = await toAll(setting, many)
    const measurements: Measurement[] = [
      { what: `CPU of the service's process, ${steady} subscribers`, value: flow.cpuPercent, unit: "%" },
      { what: "CPU of the receivers' process", value: flow.receiversPercent, unit: "%" },
      { what: `messages not appended or delivered in time`, value: flow.missing, unit: "", goal: { atMost: 0 } },
      {
        what: `until the last of ${many} subscribers has one message`,
        value: median(times) / 1000,
        spread: [Math.min(...times) / 1000, Math.max(...times) / 1000],
        unit: "s",
      },
    ]
    const notes = ["Each subscriber has a WebSocket of its own; all of them are in one process beside the service's."]
    return { measurements, latencies: [flow.latencies], series: [flow.series], notes }
  },
}

async function steadyFlow(
  { folder }: Setting,
  { subscribers, seconds }: { readonly subscribers: number; readonly seconds: number },
) {
  await using child = await Child.start({ kind: "conclave", file: join(folder, "steady.db") })
  const sender = await Line.open(child.url)
  const [group] = (await createGroups(1, sender)) as [Group]
  const lines = await openLines(child.url, subscribers)
  const [sentAt, histogram, arrivals] = [[] as number[], new Histogram(), [] as number[]]
  let [started, sent] = [performance.now(), 0]
  for (const line of lines) {
    line.subscribe(subscribeRequest([group]), (item) => {
      const now = performance.now()
      for (const number of numbersIn(item)) {
        histogram.add(now - sentAt[number]!)
        const second = Math.floor((now - started) / 1000)
        arrivals[second] = (arrivals[second] ?? 0) + 1
      }
    })
  }
  const flow = async (time: number) => {
    await paced({ rate: RATE, seconds: time }, () => {
      sentAt[sent] = performance.now()
      sender.tell(messageRequest(group, { number: sent++ }))
    })
    await until(() => histogram.count >= Math.floor(RATE * time) * subscribers, 30_000)
  }
  await pause(500)
  await flow(WARM_UP_SECONDS)
  histogram.clear()
  arrivals.length = 0
  started = performance.now()
  const [before, here] = [await child.usage(), usage().cpu]
  const begun = performance.now()
  const all = Math.floor(RATE * seconds) * subscribers
  await flow(seconds)
  const [used, usedHere] = [(await child.usage()).cpu - before.cpu, usage().cpu - here]
  const elapsed = performance.now() - begun
  for (const line of [...lines, sender]) line.close()
  return {
    latencies: histogram.latencies(`${subscribers} subscribers, ${RATE} messages/s`),
    series: { what: `deliveries to ${subscribers} subscribers`, perSecond: Array.from(arrivals, (it) => it ?? 0) },
    cpuPercent: used / elapsed / 10,
    receiversPercent: usedHere / elapsed / 10,
    missing: all - histogram.count,
  }
}

/** Milliseconds until the last of `subscribers` has a message, for several. */
async function toAll({ folder, rounds }: Setting, subscribers: number): Promise<number[]> {
  await using child = await Child.start({ kind: "conclave", file: join(folder, "many.db") })
  const sender = await Line.open(child.url)
  const [group] = (await createGroups(1, sender)) as [Group]
  const lines = await openLines(child.url, subscribers)
  let received = 0
  let ready = 0
  for (const line of lines) {
    line.subscribe(subscribeRequest([group]), (item) => {
      const numbers = [...numbersIn(item)]
      if (numbers.length === 0) ready++
      received += numbers.length
    })
  }
  // Each is told its subscription's id and that there is nothing new.
  if (!(await until(() => ready >= 2 * subscribers, 60_000))) throw new Error(`${ready / 2} are subscribed`)
  const times: number[] = []
  for (let number = 0; number <= rounds; number++) {
    received = 0
    const started = performance.now()
    await answered(sender.ask, messageRequest(group, { number }), "accepted")
    if (!(await until(() => received >= subscribers, 60_000))) throw new Error(`${received} have the message`)
    // The first one warms up.
    if (number > 0) times.push(performance.now() - started)
  }
  for (const line of [...lines, sender]) line.close()
  return times
}
