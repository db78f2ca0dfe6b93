import assert from "node:assert/strict"
import { createServer } from "node:net"
import { describe, it, type TestContext } from "node:test"
import { type Client, openClient } from "@conclave/client/node"
import { noPostgres, startPostgres } from "@conclave/testing/servers"
import { assertReadable, Folder, runHere, Service } from "./support.js"

interface Sample {
  readonly name: string
  readonly labels: readonly (readonly [name: string, value: string])[]
  readonly value: number
}

function samplesIn(text: string): Sample[] {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"))
  return lines.map((line) => {
    const [, name = "", labels = "", value = ""] = /^(\w+)(?:\{(.*)\})? (\S+)/.exec(line) ?? []
    const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)]
    return { name, labels: pairs.map(([, label = "", word = ""]) => [label, word] as const), value: Number(value) }
  })
}

/** Labels of histograms are numbers, and those of the process name Node and its parts. */
const OF_NUMBERS = new Set(["le", "quantile", "version", "major", "minor", "patch"])

/** Whatever is no word of the code: what has digits or signs in it, or holds one of `secrets`. */
function strangersIn(samples: readonly Sample[], secrets: readonly string[]): string[] {
  return samples.flatMap(({ name, labels }) =>
    labels
      .filter(([label, word]) => {
        const isSecret = secrets.some((secret) => word.toLowerCase().includes(secret.toLowerCase()))
        const isWord = OF_NUMBERS.has(label) ? /^(v?[0-9.e-]+|\+Inf)$/.test(word) : /^[A-Za-z_]{1,32}$/.test(word)
        return isSecret || !isWord
      })
      .map(([label, word]) => `${name} ${label}=${word}`),
  )
}

const metricsAt = ({ announcement }: Service) => /^ {2}metrics {3,}(\S+)$/m.exec(announcement)![1]!
const metricsOf = async (service: Service) => (await fetch(metricsAt(service))).text()

async function until(what: string, is: () => boolean | Promise<boolean>): Promise<void> {
  const begin = performance.now()
  while (!(await is())) {
    assert.ok(performance.now() - begin < 30_000, `waited in vain: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

async function person(test: TestContext, name: string, service: string): Promise<Client> {
  const folder = new Folder()
  const place = { service, profile: folder.file(name), sealingKey: new Uint8Array(32).fill(1) }
  const client = await openClient({ name, ...place })
  test.after(async () => {
    await client.close()
    folder[Symbol.dispose]()
  })
  return client
}

describe("conclave serve --metrics", { timeout: 120_000 }, () => {
  it("tells of a rich run on a database, and names no group, device, person or address", {
    skip: noPostgres,
  }, async (test) => {
    await using own = await startPostgres()
    const url = await own.url("sentineldatabase")
    const words = ["--metrics", "0", "--drain", "0", "--fast-open", "--fast-open-port", "0"]
    const start = () => Service.start(new Folder(), 0, { words, environment: { DATABASE_URL: url } })
    const [first, second] = await Promise.all([start(), start()])
    test.after(async () => {
      for (const gateway of [first, second]) await gateway[Symbol.asyncDispose]()
    })
    const names = ["sentinelalice", "sentinelbob", "sentinelcarol"]
    const [alice, bob, carol] = await Promise.all([
      person(test, names[0]!, first.address),
      person(test, names[1]!, second.address),
      person(test, names[2]!, second.address),
    ])
    await alice.setDisplayName("Sentinel Alice")
    const team = await alice.createConversation({ title: "sentineltitle", members: names.slice(1) })
    const inRoom = () => [...bob.conversations.values(), ...carol.conversations.values()]
    await until("both are in", () => inRoom().length === 2)
    for (let number = 0; number < 12; number++) await team.send(`sentineltext ${number}`)
    await inRoom()[0]!.send("sentinelanswer")
    await team.refresh()
    await assert.rejects(alice.createConversation({ title: "none", members: ["sentinelnobody"] }))
    await until("all is heard", async () => (await inRoom()[1]!.history()).length >= 13)
    // What is refused, in several ways.
    const post = (body: string, headers = {}) =>
      fetch(`${second.address}/delivery`, {
        ...{ method: "POST", body },
        headers: { "content-type": "application/octet-stream", ...headers },
      })
    await post("sentinelnoise")
    await fetch(second.address, { headers: { origin: "https://sentinel.example" } })
    for (let at = 0; at < 40; at++) await fetch(`${second.address}/healthz`)
    const dave = ["receive", "--as", "sentineldave", "--timeout", "0.5", "--fast-open", ...second.place]
    assert.equal((await runHere(dave)).code, 3)
    const before = samplesIn(`${await metricsOf(first)}${await metricsOf(second)}`)
    await own.stop("SIGKILL")
    await until("it is noticed", async () => (await fetch(`${first.address}/readyz`)).status === 503)
    await post("sentinelnoise")
    const samples = [...before, ...samplesIn(`${await metricsOf(first)}${await metricsOf(second)}`)]

    const sum = (name: string, wanted: Readonly<Record<string, string>> = {}) =>
      before
        .filter((it) => it.name === name)
        .filter(({ labels }) => Object.entries(wanted).every(([key, word]) => new Map(labels).get(key) === word))
        .reduce((all, { value }) => all + value, 0)
    assert.ok(sum("conclave_appends_total", { kind: "application" }) >= 13)
    assert.ok(sum("conclave_appends_total", { kind: "commit" }) >= 2)
    assert.ok(sum("conclave_append_bytes_total") > 1000)
    assert.ok(sum("conclave_requests_total", { kind: "subscribe", outcome: "subscribed", way: "socket" }) >= 3)
    assert.ok(sum("conclave_requests_total", { way: "sealed" }) >= 1)
    assert.ok(sum("conclave_subscriptions") >= 3)
    assert.ok(sum("conclave_cursors") >= 3)
    assert.ok(sum("conclave_held", { resource: "sockets" }) >= 3)
    assert.ok(sum("conclave_refusals_total", { kind: "health" }) >= 1)
    assert.ok(sum("conclave_refusals_total", { kind: "version" }) >= 1)
    assert.ok(sum("conclave_store_seconds_count", { access: "write", operation: "append" }) >= 15)
    assert.ok(sum("conclave_store_batch_entries_sum") >= 15)
    assert.equal(sum("conclave_database_connections_limit"), 20)
    assert.ok(sum("conclave_database_connections") >= 2)
    assert.ok(sum("conclave_store_bytes") > 100_000)
    assert.ok(sum("conclave_hints_sent_total") >= 15)
    assert.ok(sum("conclave_hints_received_total") >= 15)
    assert.equal(sum("conclave_hints_connected"), 2)
    // Two on one gateway follow the room: what is new is read once for both.
    assert.ok(sum("conclave_tail_reads_total", { result: "hit" }) >= 1)
    assert.ok(sum("conclave_sweep_seconds_count") >= 1)
    const after = samples.slice(before.length)
    const lost = after.filter(({ name }) => name === "conclave_hints_lost_total")
    assert.ok(lost.reduce((all, { value }) => all + value, 0) >= 1)

    const secrets = ["sentinel", "127.0.0.1", "localhost", team.id, `${own.port}`]
    assert.deepEqual(strangersIn(samples, secrets), [])
    const text = `${await metricsOf(first)}${await metricsOf(second)}`
    for (const secret of secrets.slice(0, 4)) assert.ok(!text.includes(secret), `the metrics say ${secret}`)
    // Nor does what they have said on the terminal; the database's place is the operator's own.
    for (const gateway of [first, second]) {
      await gateway.stop("SIGTERM")
      assert.doesNotMatch(gateway.errors.replaceAll("sentineldatabase", ""), /sentinel/i)
    }
    // At the end at the latest.
    assert.match(second.errors, /refused \d+ questions about the service's health/)
    // The check finds what it is to find.
    const planted = ["sentinelalice", "alice", "9f86d081884c7d65", "10.0.0.7", "a b"]
    const spoiled = samplesIn(planted.map((word) => `conclave_held{resource="${word}"} 1`).join("\n"))
    assert.equal(strangersIn(spoiled, ["alice"]).length, planted.length)
  })

  it("listens where it is told to, for this machine alone by default, and never at the service's port", async () => {
    await using service = await Service.start(undefined, undefined, { words: ["--metrics", "0"] })
    const url = new URL(metricsAt(service))
    assert.equal(url.hostname, "127.0.0.1")
    assert.notEqual(url.port, `${service.port}`)
    assert.match(await metricsOf(service), /^conclave_requests_total|^# HELP conclave_requests_total/m)
    assert.equal((await fetch(`${service.address}/metrics`)).status, 404)
    await using other = await Service.start(undefined, undefined, { words: ["--metrics", "[::1]:0"] })
    assert.equal(new URL(metricsAt(other)).hostname, "[::1]")
  })

  it("says in one line that its port is in use, or is none", async () => {
    using folder = new Folder()
    const taken = createServer().listen(0, "127.0.0.1")
    await new Promise((resolve) => taken.once("listening", resolve))
    const { port } = taken.address() as { readonly port: number }
    const serve = ["serve", "--port", "0", "--data", folder.path]
    try {
      assertReadable(
        await runHere([...serve, "--metrics", `${port}`]),
        /port \d+ .*in use; give another with --metrics/,
      )
      for (const wrong of ["x", "host:", "70000", "a:b:1"]) {
        assertReadable(await runHere([...serve, "--metrics", wrong]), /--metrics must be a port/)
      }
      assertReadable(await runHere([...serve, "--drain", "soon"]), /--drain must be a number of seconds/)
    } finally {
      await new Promise((resolve) => taken.close(resolve))
    }
  })
})
