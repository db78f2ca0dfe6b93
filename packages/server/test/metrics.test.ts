import assert from "node:assert/strict"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, it } from "node:test"
import { noAccess } from "@conclave/contracts/access"
import { authRequests } from "@conclave/contracts/auth"
import { deliveryRequests } from "@conclave/contracts/delivery"
import { directTransport } from "@conclave/transport"
import { connect } from "@conclave/transport/node"
import { createMetrics, createServer, listenForMetrics } from "../src/index.js"
import { composed, headOfNothing, memoryStores, raw, registration, statusOf } from "./composed-support.js"

/** One sample for each line of the text format, its labels sorted. */
function samplesIn(text: string): ReadonlyMap<string, number> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"))
  return new Map(
    lines.map((line) => {
      const [, name = "", labels = "", value = ""] = /^([a-z_0-9]+)(?:\{(.*)\})? (\S+)/i.exec(line) ?? []
      const sorted = labels.split(/,(?=[a-z_]+=")/).sort()
      return [labels === "" ? name : `${name}{${sorted.join(",")}}`, Number(value)]
    }),
  )
}

describe("the metrics of a server", { timeout: 20_000 }, () => {
  it("count requests, refusals, appends, calls of the stores, and show what is held now", async (test) => {
    const folder = mkdtempSync(join(tmpdir(), "conclave-metrics-"))
    test.after(() => rmSync(folder, { recursive: true, force: true }))
    const metrics = await createMetrics()
    await using conclave = await createServer({
      file: join(folder, "service.db"),
      quota: 64 * 1024 ** 2,
      metrics,
      limits: { delivery: { creationsByRequester: { perSecond: 0.001, burst: 1 } } },
    })
    const { url } = await conclave.listen({ host: "127.0.0.1" })
    const { register, key } = registration("alice")
    await using auth = connect(new URL("auth", url))
    await auth.request(authRequests.encode(register))
    await using delivery = connect(new URL("delivery", url))
    const create = (at: number) =>
      deliveryRequests.encode({
        ...{ type: "createGroup", groupId: new Uint8Array(32).fill(at), accessKey: key.publicKey },
        idempotencyId: new Uint8Array(16).fill(at),
      })
    for (let at = 1; at <= 12; at++) await delivery.request(create(at))
    const cursors = [1, 2].map((at) => ({
      ...{ groupId: new Uint8Array(32).fill(at), afterSeq: 0n, access: noAccess },
    }))
    const subscribe = deliveryRequests.encode({ type: "subscribe", cursors, proof: undefined, inboxAfter: 0n })
    const stream = delivery.subscribe(subscribe)[Symbol.asyncIterator]()
    await stream.next()
    const samples = samplesIn(await metrics.text())
    const at = (name: string) => samples.get(name) ?? Number.NaN
    const requests = (kind: string, outcome: string, way: string, service = "delivery") =>
      at(`conclave_requests_total{early="false",kind="${kind}",outcome="${outcome}",service="${service}",way="${way}"}`)
    const throttled = requests("createGroup", "throttled", "http")
    assert.equal(requests("register", "registered", "http", "auth"), 1)
    assert.equal(requests("createGroup", "done", "http") + throttled, 12)
    assert.ok(throttled > 0)
    assert.equal(at('conclave_refusals_total{kind="creations",level="none"}'), throttled)
    assert.equal(requests("subscribe", "subscribed", "socket"), 1)
    assert.equal(at('conclave_request_seconds_count{kind="createGroup",service="delivery"}'), 12)
    assert.equal(at('conclave_request_bytes_total{kind="createGroup",service="delivery"}'), 12 * create(1).length)
    assert.equal(at('conclave_held{resource="sockets"}'), 1)
    assert.equal(at('conclave_held{resource="streams"}'), 1)
    assert.equal(at('conclave_held_limit{resource="sockets"}'), 10_000)
    assert.equal(at("conclave_subscriptions"), 1)
    assert.equal(at("conclave_draining"), 0)
    const written = at('conclave_store_seconds_count{access="write",operation="createGroup",store="delivery"}')
    assert.equal(written, 12 - throttled)
    assert.ok(at('conclave_store_seconds_count{access="read",operation="lookupDevice",store="auth"}') > 0)
    assert.ok(at("conclave_store_batch_entries_sum") >= written)
    assert.ok(at("conclave_store_bytes") > 1024)
    assert.ok(at("conclave_store_bytes_limit") <= 64 * 1024 ** 2)
    assert.equal(at("conclave_sweep_seconds_count"), 1)
    assert.ok(at("nodejs_eventloop_lag_p99_seconds") >= 0)
    assert.ok(at("process_resident_memory_bytes") > 0)
    // A file has no connections: nothing is told of them, no zeros.
    assert.ok(![...samples.keys()].some((name) => name.startsWith("conclave_database")))
    await stream.return?.()
    while (samplesIn(await metrics.text()).get("conclave_subscriptions") !== 0) {
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  })

  it("count errors and calls that fail, and go on where a store says nothing of itself", async () => {
    const metrics = await createMetrics({ process: false })
    const stores = memoryStores()
    const fail = async () => {
      throw new Error("sentinel")
    }
    const usage = () => {
      throw new Error("sentinel")
    }
    const delivery = Object.assign(Object.create(stores.delivery), {
      ...{ head: fail, sweep: fail, usage },
      identity: stores.delivery.identity.bind(stores.delivery),
    })
    await using conclave = await composed({ metrics, stores: { ...stores, delivery } })
    await using direct = directTransport(conclave.services.delivery)
    await direct.request(headOfNothing)
    await new Promise((resolve) => setTimeout(resolve, 20))
    const text = await metrics.text()
    const samples = samplesIn(text)
    assert.equal(samples.get('conclave_failures_total{part="service"}'), 1)
    assert.equal(samples.get('conclave_failures_total{part="sweep"}'), 1)
    assert.equal(samples.get('conclave_store_failures_total{operation="head",store="delivery"}'), 1)
    assert.equal(samples.get("conclave_store_bytes"), undefined)
    assert.doesNotMatch(text, /sentinel|process_/)
  })

  it("are told at an address of their own, to those who ask for it by a name of this machine", async () => {
    const metrics = await createMetrics()
    await using conclave = await composed({ metrics })
    const { url: service } = await conclave.listen({ host: "127.0.0.1" })
    await using listener = await listenForMetrics(metrics, { host: "127.0.0.1" })
    const { url } = listener
    const answer = await fetch(url)
    assert.equal(answer.status, 200)
    assert.equal(answer.headers.get("content-type"), metrics.contentType)
    assert.match(await answer.text(), /^conclave_held\{resource="connections"\} 0$/m)
    assert.equal((await fetch(new URL("/", url))).status, 404)
    assert.equal((await fetch(url, { method: "POST" })).status, 405)
    const rebound = await raw(url, "GET /metrics HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n")
    assert.equal(statusOf(rebound), 421)
    assert.equal((await fetch(new URL("/metrics", service))).status, 404)
  })

  it("are all in docs/operating.md, which names no other", async () => {
    const { registry } = await createMetrics()
    const defined = new Set((await registry.getMetricsAsJSON()).map(({ name }) => name))
    const document = readFileSync(new URL("../../../../docs/operating.md", import.meta.url), "utf8")
    const rows = document.split("\n").filter((line) => /^\| `(conclave|nodejs|process)_/.test(line))
    const written = rows.flatMap((row) => [...row.split("|")[1]!.matchAll(/`([a-z0-9_]+)`/g)].map((match) => match[1]!))
    assert.deepEqual(
      written.filter((name) => !defined.has(name)),
      [],
    )
    const own = [...defined].filter((name) => name.startsWith("conclave_"))
    assert.deepEqual(
      own.filter((name) => !written.includes(name)),
      [],
    )
    assert.equal(new Set(written).size, written.length)
  })

  it("go into a registry that an application has already", async () => {
    const { registry } = await createMetrics({ process: false })
    await assert.rejects(createMetrics({ registry, process: false }), /already been registered/)
    assert.ok((await registry.getMetricsAsJSON()).some(({ name }) => name === "conclave_requests_total"))
  })
})
