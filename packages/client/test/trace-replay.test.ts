import { readdirSync, readFileSync } from "node:fs"
import { describe, it } from "node:test"
import { replayFork } from "./support/fork-replay.js"
import { replay, type Trace, whyNot } from "./support/trace-replay.js"

const folder = new URL("../../../../model/traces/", import.meta.url)
const traces = readdirSync(folder).map((file) => {
  return [file.replace(".json", ""), JSON.parse(readFileSync(new URL(file, folder), "utf8")) as Trace] as const
})

describe("what the model says of a trace is what devices and a service do", () => {
  for (const [name, trace] of traces) {
    const words = trace.rule === undefined ? name : `${name}: ${trace.rule}`
    if (trace.scenario === "fork") it(words, () => replayFork(trace))
    else it(words, { skip: whyNot(trace) ?? false }, () => replay(trace))
  }
})
