import { Agent } from "node:http"
import { encodeAuth } from "./contract.js"
import { post } from "./http.js"
import { pause } from "./timing.js"

/*
 * Somebody honest, in a process of their own so that an attacker's load is not theirs: asks the service something small
 * over a new connection, again and again, and tells the parent how long each answer took (`null`: none).
 */

const { url, localAddress, everyMilliseconds } = JSON.parse(process.argv[2]!) as {
  url: string
  localAddress: string
  everyMilliseconds: number
}
const question = encodeAuth({ type: "lookup", name: "somebody" })
const TIMEOUT_MILLISECONDS = 2_000
const asked = new Set<Promise<void>>()
const times: (number | null)[] = []
let going = true
process.on("message", () => {
  going = false
})
process.on("disconnect", () => process.exit())

while (going) {
  const one = askOnce().finally(() => asked.delete(one))
  asked.add(one)
  await pause(everyMilliseconds)
}
await Promise.all(asked)
process.send?.(times, () => process.exit())

async function askOnce(): Promise<void> {
  const started = performance.now()
  const agent = new Agent({ localAddress, keepAlive: false })
  try {
    const sending = { agent, timeoutMilliseconds: TIMEOUT_MILLISECONDS }
    const { status } = await post(new URL("auth", url), question, sending)
    times.push(status === 200 ? performance.now() - started : null)
  } catch {
    times.push(null)
  } finally {
    agent.destroy()
  }
}
