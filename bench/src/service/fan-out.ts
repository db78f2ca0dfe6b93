import { once } from "node:events"
import { join } from "node:path"
import { WebSocket } from "ws"
import { Child } from "./child.js"
import { Line, openLines } from "./line.js"
import {
  answered,
  createGroups,
  type Group,
  messageRequest,
  numberedMessage,
  numbersIn,
  subscribeRequest,
} from "./requests.js"
import type { Measurement } from "./results.js"
import { alternate, compared, paced, pause, until } from "./rounds.js"
import type { Found, Scenario, Setting } from "./scenario.js"

const RATE = 50
const GOAL = { atMost: 2 }

/** What each delivery of a message costs the server's process, beside a server that only broadcasts the same bytes. */
export const fanOut: Scenario = {
  name: "fan-out",
  title: "CPU for each delivery, beside a bare ws broadcast of the same bytes",
  async run(setting: Setting): Promise<Found> {
    const measurements: Measurement[] = []
    const sizes = setting.isQuick ? [20, 100] : [100, 1_000]
    for (const subscribers of sizes) {
      setting.progress(`${subscribers} subscribers`)
      measurements.push(...(await measured(subscribers, setting)))
    }
    const notes = [
      `${RATE} messages a second, in microseconds for each delivery. An append (MAC, SQLite with synchronous=FULL, signature) is ` +
        "what the same process uses at the same rate for a group that nobody follows. Both servers send to real WebSockets whose " +
        "other ends are in another process; the service's clients grant credit as clients do. Where messages come " +
        "faster than a socket is written, the service puts several into a frame, and the broadcaster does not.",
    ]
    return { measurements, notes }
  },
}

async function measured(subscribers: number, setting: Setting): Promise<Measurement[]> {
  await using service = await Child.start({ kind: "conclave", file: join(setting.folder, `${subscribers}.db`) })
  await using bare = await Child.start({ kind: "broadcast" })
  await using alone = await subscribed(service, 0)
  await using served = await subscribed(service, subscribers)
  await using broadcasted = await connected(bare, { subscribers, size: served.size })
  const seconds = setting.isQuick ? 1.5 : 4
  const contestant = (name: string, child: Child, audience: Audience) => ({
    name,
    round: () => cpuOfDelivery(child, audience, { seconds, subscribers }),
  })
  const contestants = [
    contestant("service", service, served),
    contestant("bare ws", bare, broadcasted),
    contestant("append", service, alone),
  ]
  const values = new Map(await alternate(contestants, setting.rounds))
  const appends = values.get("append")!
  values.set(
    "delivery",
    values.get("service")!.map((whole, round) => whole - appends[round]!),
  )
  const perFrame = served.received() / served.frames()
  const what = `${subscribers} subscribers`
  return [
    { what: `${what}: append and deliveries`, unit: "µs", ...compared(values, "service", "bare ws"), goal: GOAL },
    { what: `${what}: deliveries alone`, unit: "µs", ...compared(values, "delivery", "bare ws"), goal: GOAL },
    { what: `${what}: messages to a frame`, unit: "", value: perFrame },
  ]
}

/** Those that receive, and how one message is sent to them. */
interface Audience {
  readonly send: (number: number) => Promise<unknown>
  /** Messages, by all together. */
  readonly received: () => number
}

async function cpuOfDelivery(
  child: Child,
  { send, received }: Audience,
  { seconds, subscribers }: { readonly seconds: number; readonly subscribers: number },
): Promise<number> {
  const [before, start] = [await child.usage(), received()]
  const count = Math.floor(RATE * seconds)
  const sent: Promise<unknown>[] = []
  await paced({ rate: RATE, seconds }, (number) => sent.push(send(number)))
  await Promise.all(sent)
  const all = count * subscribers
  const isThere = () => received() - start >= (received() === 0 ? 0 : all)
  if (!(await until(isThere, 30_000))) {
    throw new Error(`${received() - start} of ${all} deliveries came`)
  }
  return ((await child.usage()).cpu - before.cpu) / all
}

async function subscribed(child: Child, subscribers: number) {
  const sender = await Line.open(child.url)
  const [group] = (await createGroups(1, sender)) as [Group]
  const lines = await openLines(child.url, subscribers)
  let [received, frames, size] = [0, 0, 0]
  for (const line of lines) {
    line.subscribe(subscribeRequest([group]), (item) => {
      const before = received
      for (const _ of numbersIn(item)) received++
      if (received > before) frames++
      if (received === before + 1) size = item.length
    })
  }
  const send = (number: number) => answered(sender.ask, messageRequest(group, { number }), "accepted")
  await pause(200)
  await send(0)
  if (!(await until(() => received >= subscribers, 30_000))) throw new Error("the first message did not come")
  return {
    send,
    received: () => received,
    frames: () => frames,
    /** Bytes of an answer with one message. */
    size,
    async [Symbol.asyncDispose]() {
      for (const line of [...lines, sender]) line.close()
    },
  }
}

async function connected(child: Child, { subscribers, size }: { readonly subscribers: number; readonly size: number }) {
  const address = new URL(child.url)
  address.protocol = "ws:"
  let received = 0
  const open = async (take: () => void) => {
    const socket = new WebSocket(address, { perMessageDeflate: false })
    socket.on("message", take)
    socket.on("error", () => {})
    await once(socket, "open")
    return socket
  }
  const sockets: WebSocket[] = []
  while (sockets.length < subscribers) sockets.push(await open(() => received++))
  const sender = await open(() => {})
  const message = Buffer.alloc(size)
  const numbered = numberedMessage(new Uint8Array(32), 0)
  message.set(numbered.subarray(0, size))
  return {
    send: async () => sender.send(message),
    received: () => received,
    async [Symbol.asyncDispose]() {
      for (const socket of [...sockets, sender]) socket.terminate()
    },
  }
}
