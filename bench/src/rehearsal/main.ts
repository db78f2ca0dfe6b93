import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { table } from "../contest.js"
import { countOutcomes, type Moments } from "./outcomes.js"
import { gather, type Person, type Scene, type Team, until } from "./people.js"
import { conclave, Service } from "./service.js"

/*
 * npm run rehearse
 *
 * A service under load is backed up, killed, and restored into another folder, at the same address: what clients see of it,
 * second by second, and what became of each message. Fails where something is lost that was acknowledged before the backup,
 * where a commit is not given back, or where a client raises an alarm.
 */

const TEAMS = 8
/** As far as the machine allows, which has all clients in one process. */
const APPENDS_PER_SECOND = 200
/**
 * When what happens, in seconds from the first message on. Between the backup and the kill, a conversation gets fewer than the 16
 * handshakes, and a member says fewer than the 1,000 messages, that clients get over: see docs/operating.md.
 */
const PLAN = { backup: 10, commits: 13, kill: 17, end: 34 }

const folder = mkdtempSync(join(tmpdir(), "conclave-rehearsal-"))
/** Of people. In memory where the system has a folder there: this machine's disk is the service's. */
const profiles = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "conclave-rehearsal-"))
async function rehearse(): Promise<number> {
  const [first, second] = ["before", "after"].map((name) => join(folder, name)) as [string, string]
  let service = await Service.start(first, 0)
  let start = performance.now()
  const now = () => performance.now() - start
  const scene: Scene = { folder: profiles, service: service.address, now }
  const teams: Team[] = []
  for (let number = 0; number < TEAMS; number++) teams.push(await gather(number, scene))
  const people = teams.flatMap(({ talkers }) => talkers)
  await until(() => people.every(({ client }) => client.online))
  for (const { events } of people) events.length = 0
  console.log(`${people.length} clients in ${TEAMS} conversations, ${APPENDS_PER_SECOND} messages a second\n`)

  start = performance.now()
  const marks: Mark[] = []
  const mark = (what: string) => marks.push({ what, at: now() })
  const speaking = speak(people, now)
  const watching = watch(people, { now, marks })
  try {
    await at(PLAN.backup, now)
    const backupFrom = now()
    mark("backup begins")
    const file = join(folder, "service.backup")
    await conclave("backup", file, "--data", first)
    mark("backup is there")
    await at(PLAN.commits, now)
    const committed = teams.filter((_, number) => number % 2 === 0)
    await Promise.all(committed.map(({ talkers: [one] }) => one.conversation.refresh()))
    mark(`${committed.length} commits`)
    await at(PLAN.kill, now)
    const epochs = teams.map(({ talkers: [one] }) => one.conversation.epoch)
    const { port } = service
    await service.end("SIGKILL")
    const killedAt = now()
    mark("kill -9")
    await conclave("restore", file, "--data", second)
    mark("restored")
    service = await Service.start(second, port)
    const servedAt = now()
    mark("served again")
    await until(() => people.some(({ said }) => said.some(({ acknowledgedAt = 0 }) => acknowledgedAt > servedAt)))
    mark("first message through")
    await at(PLAN.end, now)
    speaking.end()
    await until(() => people.every(({ waiting }) => waiting === 0))
    mark("nothing waits")
    await watching.end()
    const moments: Moments = { backupFrom, killedAt, servedAt }
    const before = people.reduce(
      (sum, { said }) => sum + said.filter(({ acknowledgedAt }) => acknowledgedAt! < killedAt).length,
      0,
    )
    console.log(`\n${Math.round((1_000 * before) / killedAt)} messages a second were acknowledged until the kill.`)
    const { rows, faults } = await countOutcomes(teams, { scene, moments, epochs, commits: committed.length })
    console.log(`\n${table(rows)}\n`)
    for (const fault of faults) console.log(`FAILED: ${fault}`)
    return faults.length === 0 ? 0 : 1
  } finally {
    speaking.end()
    await watching.end()
    await Promise.all(people.map((person) => person[Symbol.asyncDispose]()))
    await service.end("SIGTERM")
  }
}

interface Mark {
  readonly what: string
  readonly at: number
}

function at(second: number, now: () => number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, second * 1_000 - now())))
}

/** One after the other says something, as often as the clock says, whether the service is there or not. */
function speak(people: readonly Person[], now: () => number) {
  let count = 0
  const timer = setInterval(() => {
    for (; count < (now() * APPENDS_PER_SECOND) / 1_000; count++) people[count % people.length]!.say()
  }, 10)
  return { end: () => clearInterval(timer) }
}

const HEAD = ["second", "online", "acknowledged", "received", "waiting", "what happened, and events of clients"]

interface Watching {
  readonly now: () => number
  readonly marks: readonly Mark[]
}

/** Prints a row each second. */
function watch(people: readonly Person[], { now, marks }: Watching) {
  const widths = HEAD.map((title) => title.length)
  const line = (cells: readonly string[]) =>
    cells.map((cell, column) => (column === cells.length - 1 ? cell : cell.padStart(widths[column]!))).join("  ")
  console.log(line(HEAD))
  const sum = (count: (person: Person) => number) => people.reduce((total, person) => total + count(person), 0)
  let [since, acknowledged, received] = [0, 0, 0]
  const row = () => {
    const until = now()
    const isNew = ({ at }: { readonly at: number }) => at >= since && at < until
    const events = new Map<string, number>()
    for (const { type } of people.flatMap((person) => person.events.filter(isNew))) {
      events.set(type, (events.get(type) ?? 0) + 1)
    }
    const told = [...events].map(([type, count]) => `${count} ${type}`)
    const happened = marks.filter(isNew).map(({ what, at }) => `${what.toUpperCase()} (${(at / 1_000).toFixed(1)} s)`)
    const [all, heard] = [sum((person) => person.acknowledged), sum((person) => person.received)]
    const numbers = [
      Math.round(until / 1_000),
      sum(({ client }) => Number(client.online)),
      all - acknowledged,
      heard - received,
    ]
    console.log(line([...numbers, sum(({ waiting }) => waiting)].map(String).concat([...happened, ...told].join(", "))))
    ;[since, acknowledged, received] = [until, all, heard]
  }
  const timer = setInterval(row, 1_000)
  let isOver = false
  return {
    async end(): Promise<void> {
      if (isOver) return
      isOver = true
      clearInterval(timer)
      row()
    },
  }
}

process.exitCode = await rehearse().finally(() => {
  for (const it of [folder, profiles]) rmSync(it, { recursive: true, force: true })
})
