/**
 * Another gateway, as far as hints go: tells its parent of each hint for the topics it was given, and notes what the parent
 * sends.
 */
import { type BusName, openWake } from "./buses.js"

const [name, url, answerMilliseconds, ...topics] = process.argv.slice(2)
const wake = openWake(name as BusName, url!, { limits: { answerMilliseconds: Number(answerMilliseconds) } })
const watch = wake.watch(topics)
const gone = new AbortController()

process.once("disconnect", () => gone.abort())
process.on("message", (topic: string) => wake.notify(topic))
process.send!({ type: "watching" })
while (!gone.signal.aborted) {
  for (const topic of await watch.changed({ signal: gone.signal })) process.send!({ type: "hint", topic })
}
await wake[Symbol.asyncDispose]()
