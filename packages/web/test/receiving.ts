/**
 * `npm run bench:receiving --workspace @conclave/web [-- --messages 1000,10000 --page FOLDER]`: what receiving costs a page, with
 * the conversation open, read back in, and behind another one. `--page` measures the built page of another version.
 */

import { loadavg } from "node:os"
import { parseArgs } from "node:util"
import type { CDPSession } from "playwright-core"
import { joined, openPerson } from "./people.js"
import { Person } from "./person.js"
import { Service } from "./service.js"

const { values } = parseArgs({
  options: {
    messages: { type: "string", default: "1000" },
    page: { type: "string" },
    views: { type: "string", default: "open,back,behind" },
  },
})

/** So many are given to the sender's SDK at a time. */
const TOGETHER = 25
const UNLIMITED = { perSecond: 10_000, burst: 20_000 }
const WAIT_MILLISECONDS = 3_600_000
const LONG_MILLISECONDS = 50

interface Cost {
  readonly mainThread: number
  readonly script: number
  readonly layout: number
  readonly megabytes: number
  readonly nodes: number
}

console.log(
  "view    messages  seconds  (sending)  main thread  script  layout  longest task  tasks > 50 ms  heap MB  nodes  load",
)
for (const count of values.messages.split(",").map(Number)) {
  for (const view of values.views.split(",")) await measure(view, count)
}

async function measure(view: string, count: number): Promise<void> {
  const limits = { appends: UNLIMITED, appendsByRequester: UNLIMITED }
  await using service = new Service({ ...(values.page !== undefined && { page: values.page }), limits })
  await service.start()
  await using alice = new Person("alice", service.address)
  await alice.open()
  await alice.register()
  const { page } = alice
  await using bob = await openPerson(service, "bob")
  await alice.createConversation("team", "bob")
  const team = await joined(bob, "team")
  if (view === "behind") await alice.createConversation("other")
  if (view === "back") {
    for (let number = 1; number <= 60; number++) await team.send(`before ${number}\nof two lines`)
    await alice.message("before 60").waitFor()
    await page.locator(".messages").evaluate((element) => element.scrollTo(0, element.scrollHeight / 3))
  }
  await page.waitForTimeout(2_000)
  const session = await page.context().newCDPSession(page)
  // Of the processor, not of the clock: a machine that others use must not count.
  await session.send("Performance.enable", { timeDomain: "threadTicks" })
  const tracing = await traceTasks(session)
  const before = await costOf(session)
  const begun = performance.now()
  let sent = 0
  const sending = (async () => {
    for (let number = 1; number <= count; number += TOGETHER) {
      const together = Array.from({ length: Math.min(TOGETHER, count - number + 1) }, (_, at) => number + at)
      await Promise.all(together.map((it) => team.send(`line ${it} of ${count}: so much somebody says in a chat`)))
    }
    sent = performance.now() - begun
  })()
  // Where the page does not get there, that is what is told.
  sending.catch(() => {})
  const last = `line ${count} of`
  const isThere = (text: string) => document.querySelector(".list-pane")?.textContent?.includes(text) === true
  await page.waitForFunction(isThere, last, { polling: 100, timeout: WAIT_MILLISECONDS })
  if (view === "open") await alice.message(last).first().waitFor({ state: "attached", timeout: WAIT_MILLISECONDS })
  await sending
  const seconds = (performance.now() - begun) / 1_000
  // What is put off is a part of the cost.
  await page.waitForTimeout(1_000)
  const tasks = (await tracing.end()).filter((milliseconds) => milliseconds > LONG_MILLISECONDS)
  const after = await costOf(session)
  const cells = [
    view.padEnd(6),
    String(count).padStart(9),
    seconds.toFixed(1).padStart(8),
    (sent / 1_000).toFixed(1).padStart(10),
    (after.mainThread - before.mainThread).toFixed(1).padStart(12),
    (after.script - before.script).toFixed(1).padStart(7),
    (after.layout - before.layout).toFixed(1).padStart(7),
    `${Math.round(Math.max(0, ...tasks))} ms`.padStart(13),
    String(tasks.length).padStart(14),
    after.megabytes.toFixed(1).padStart(8),
    String(after.nodes).padStart(6),
    loadavg()[0]!.toFixed(1).padStart(5),
  ]
  console.log(cells.join(" "))
  if (alice.complaints.length > 0) console.log(alice.complaints.slice(0, 5).join("\n"))
}

/** What each task of the page's main thread took of the processor, in milliseconds. */
async function traceTasks(session: CDPSession): Promise<{ readonly end: () => Promise<readonly number[]> }> {
  const threads = new Set<string>()
  const tasks: { readonly thread: string; readonly milliseconds: number }[] = []
  session.on("Tracing.dataCollected", ({ value }) => {
    for (const event of value as unknown as readonly TraceEvent[]) {
      const thread = `${event.pid} ${event.tid}`
      if (event.name === "thread_name" && event.args?.name === "CrRendererMain") threads.add(thread)
      const isLong = event.tdur !== undefined && event.tdur > LONG_MILLISECONDS * 1_000
      if (event.ph === "X" && isLong && /RunTask/.test(event.name)) {
        tasks.push({ thread, milliseconds: event.tdur / 1_000 })
      }
    }
  })
  await session.send("Tracing.start", { categories: "toplevel", transferMode: "ReportEvents" })
  return {
    async end() {
      const complete = new Promise((resolve) => session.once("Tracing.tracingComplete", resolve))
      await session.send("Tracing.end")
      await complete
      return tasks.filter(({ thread }) => threads.has(thread)).map(({ milliseconds }) => milliseconds)
    },
  }
}

interface TraceEvent {
  readonly name: string
  readonly ph: string
  readonly pid: number
  readonly tid: number
  readonly tdur?: number
  readonly args?: { readonly name?: string }
}

async function costOf(session: CDPSession): Promise<Cost> {
  for (let round = 0; round < 3; round++) {
    await session.send("HeapProfiler.collectGarbage")
    await new Promise((resolve) => setTimeout(resolve, 300))
  }
  const { metrics } = await session.send("Performance.getMetrics")
  const metric = (name: string) => metrics.find((it) => it.name === name)?.value ?? 0
  return {
    mainThread: metric("TaskDuration"),
    script: metric("ScriptDuration"),
    layout: metric("LayoutDuration") + metric("RecalcStyleDuration"),
    megabytes: metric("JSHeapUsedSize") / 2 ** 20,
    nodes: metric("Nodes"),
  }
}
