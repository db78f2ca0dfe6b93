import type { Registry } from "prom-client"
import type { Figures, Meter } from "./meter.js"

/** The metrics of one server, for Prometheus. Labels are words of the code. */
export interface Metrics {
  /** With further metrics of an application, if it likes. */
  readonly registry: Registry
  /** Of {@link text}. */
  readonly contentType: string
  /** In the text format of Prometheus, 0.0.4. */
  text(): Promise<string>
  /** Is told by the server that has been given these metrics. */
  readonly meter: Meter
  /** Called by that server, with what tells how it is at the moment when it is asked. */
  watch(figures: () => Figures): void
}

export interface MetricsOptions {
  /** Default: a new one. */
  readonly registry?: Registry
  /** Whether the process's own metrics are among them: memory, processor, event loop, garbage. Default `true`. */
  readonly process?: boolean
}

/** In seconds. */
const REQUEST_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const STORE_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10]
const BATCH_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128, 256]
const SWEEP_BUCKETS = [0.01, 0.1, 1, 10, 60, 600]

/** Metrics to give to `createServer`, one for each server of a process. Loads `prom-client`. */
export async function createMetrics({ registry, process = true }: MetricsOptions = {}): Promise<Metrics> {
  const client = await import("prom-client")
  const into = registry ?? new client.Registry()
  if (process) client.collectDefaultMetrics({ register: into })
  let figures: (() => Figures) | undefined
  const figuresNow = () => figures?.()
  defineFigures(client, into, figuresNow)
  return {
    registry: into,
    contentType: into.contentType,
    text: () => into.metrics(),
    meter: meterOf(client, into),
    watch: (told) => {
      figures = told
    },
  }
}

type Client = typeof import("prom-client")

function meterOf({ Counter, Histogram }: Client, registry: Registry): Meter {
  const registers = [registry]
  const counter = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) =>
    new Counter({ name: `conclave_${name}`, help, labelNames, registers })
  const histogram = <Label extends string>(
    name: string,
    { help, labelNames, buckets }: { help: string; labelNames: readonly Label[]; buckets: number[] },
  ) => new Histogram({ name: `conclave_${name}`, help, labelNames, buckets, registers })

  const how = ["service", "kind", "outcome", "way", "early"] as const
  const requests = counter("requests_total", "Requests, by kind and by the type of the (first) answer.", how)
  const requestSeconds = histogram("request_seconds", {
    help: "Until the (first) answer.",
    labelNames: ["service", "kind"],
    buckets: REQUEST_BUCKETS,
  })
  const bytesIn = counter("request_bytes_total", "Bytes of requests.", ["service", "kind"])
  const bytesOut = counter("answer_bytes_total", "Bytes of answers, those of streams included.", ["service", "kind"])
  const streamed = counter("stream_answers_total", "Further answers of streams, by type.", ["service", "outcome"])
  const refusals = counter("refusals_total", "What was refused, and by whose limit.", ["kind", "level"])
  const appends = counter("appends_total", "Entries that were appended.", ["kind"])
  const appendBytes = counter("append_bytes_total", "Bytes of their bodies.", ["kind"])
  const failures = counter("failures_total", "Errors that were nobody's answer.", ["part"])
  const storeSeconds = histogram("store_seconds", {
    help: "Of calls of the stores.",
    labelNames: ["store", "access", "operation"],
    buckets: STORE_BUCKETS,
  })
  const storeFailures = counter("store_failures_total", "Calls of the stores that failed.", ["store", "operation"])
  const batches = histogram("store_batch_entries", {
    help: "Writes that shared a transaction.",
    labelNames: [],
    buckets: BATCH_BUCKETS,
  })
  const sweepSeconds = histogram("sweep_seconds", {
    help: "Of deleting what has expired.",
    labelNames: [],
    buckets: SWEEP_BUCKETS,
  })
  const sweptRows = counter("swept_rows_total", "Rows that were deleted or emptied because they had expired.", [])
  return {
    answered({ service, kind, outcome, way, early, isFurther, milliseconds, ...bytes }) {
      bytesOut.inc({ service, kind }, bytes.bytesOut)
      if (isFurther) {
        streamed.inc({ service, outcome })
        return
      }
      requests.inc({ service, kind, outcome, way, early: `${early}` })
      requestSeconds.observe({ service, kind }, milliseconds / 1000)
      bytesIn.inc({ service, kind }, bytes.bytesIn)
    },
    refused: (kind, level) => refusals.inc({ kind, level: level ?? "none" }),
    appended(kind, size) {
      appends.inc({ kind })
      appendBytes.inc({ kind }, size)
    },
    failed: (part) => failures.inc({ part }),
    stored({ store, operation, access, milliseconds, isFailed }) {
      storeSeconds.observe({ store, access, operation }, milliseconds / 1000)
      if (isFailed) storeFailures.inc({ store, operation })
    },
    wrote: (together) => batches.observe(together),
    swept(milliseconds, rows) {
      sweepSeconds.observe(milliseconds / 1000)
      sweptRows.inc(rows)
    },
  }
}

interface Row {
  readonly name: string
  readonly help: string
  /** Only ever grows. */
  readonly isTotal?: boolean
  readonly label?: string
  /** `undefined`: it is not known, and not told. By the label's value, where there is a label. */
  readonly read: (figures: Figures) => number | boolean | Readonly<Record<string, number>> | undefined
}

const held = (of: "held" | "max") => (figures: Figures) =>
  Object.fromEntries(Object.entries(figures.held).map(([resource, it]) => [resource, it[of]]))

/** What is looked at when it is asked for. */
const rows: readonly Row[] = [
  { name: "held", help: "What clients hold now: numbers, and bytes.", label: "resource", read: held("held") },
  { name: "held_limit", help: "What all clients may hold.", label: "resource", read: held("max") },
  { name: "draining", help: "1 while the server hands its clients over.", read: (it) => it.isDraining },
  { name: "subscriptions", help: "Open subscriptions.", read: (it) => it.delivery?.subscriptions },
  { name: "subscriptions_limit", help: "Of all.", read: (it) => it.delivery?.subscriptionsMax },
  { name: "cursors", help: "Logs that they follow.", read: (it) => it.delivery?.cursors },
  { name: "cursors_limit", help: "Of all.", read: (it) => it.delivery?.cursorsMax },
  { name: "tails", help: "Logs whose ends are in memory.", read: (it) => it.delivery?.tails.tails },
  { name: "tail_bytes", help: "What is in memory of them.", read: (it) => it.delivery?.tails.bytes },
  {
    name: "tail_reads_total",
    help: "Reads of logs that several follow: from memory (hit), or from the store (miss).",
    isTotal: true,
    label: "result",
    read: ({ delivery }) => delivery && { hit: delivery.tails.hits, miss: delivery.tails.misses },
  },
  { name: "store_waiting", help: "Writes that wait.", read: (it) => it.store?.waiting },
  { name: "store_bytes", help: "Bytes stored.", read: (it) => it.usage?.bytes },
  { name: "blob_bytes", help: "Bytes stored where blobs are.", read: (it) => it.blobs?.bytes },
  { name: "blob_bytes_limit", help: "Bytes granted there.", read: (it) => it.blobs?.sizeMax },
  { name: "store_bytes_limit", help: "Bytes granted.", read: (it) => it.usage?.sizeMax },
  {
    name: "database_connections",
    help: "Connections of this process to its database.",
    label: "state",
    read: ({ store }) => store?.connections && { used: store.connections.used, idle: store.connections.idle },
  },
  { name: "database_connections_limit", help: "Of this process.", read: (it) => it.store?.connections?.max },
  { name: "database_waiting", help: "Work that waits for one.", read: (it) => it.store?.connections?.waiting },
  { name: "hints_connected", help: "1 while hints come and go.", read: (it) => it.store?.hints?.isConnected },
  { name: "hints_waiting", help: "Hints that wait to be sent.", read: (it) => it.store?.hints?.waiting },
  {
    ...{ name: "hints_sent_total", help: "Hints to other servers.", isTotal: true },
    read: (it) => it.store?.hints?.sent,
  },
  {
    ...{ name: "hints_received_total", help: "Hints from other servers.", isTotal: true },
    read: (it) => it.store?.hints?.received,
  },
  {
    ...{ name: "hints_lost_total", help: "Times after which nobody knew what was missed.", isTotal: true },
    read: (it) => it.store?.hints?.lost,
  },
]

function defineFigures({ Counter, Gauge }: Client, registry: Registry, figures: () => Figures | undefined): void {
  for (const { name, help, isTotal, label, read } of rows) {
    const definition = {
      ...{ name: `conclave_${name}`, help, registers: [registry] },
      ...(label !== undefined && { labelNames: [label] }),
    }
    const values = (): [Record<string, string>, number][] => {
      const known = figures()
      const value = known && read(known)
      if (value === undefined) return []
      if (typeof value !== "object") return [[{}, Number(value)]]
      return Object.entries(value).map(([word, number]) => [{ [label!]: word }, number])
    }
    if (isTotal) {
      new Counter({
        ...definition,
        collect() {
          this.reset()
          for (const [labels, value] of values()) this.inc(labels, value)
        },
      })
    } else {
      new Gauge({
        ...definition,
        collect() {
          // One without labels would be 0 where it is not known.
          if (label === undefined) this.remove()
          else this.reset()
          for (const [labels, value] of values()) this.set(labels, value)
        },
      })
    }
  }
}
