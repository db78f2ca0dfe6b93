import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import { describe, it } from "node:test"
import { fileURLToPath } from "node:url"
import { isWhole } from "./support/long.js"
import { plantedRules } from "./support/planted-rules.js"

const traces = new URL("../../../../model/traces/", import.meta.url)
const program = fileURLToPath(new URL("./support/replay-one.js", import.meta.url))
const planting = new URL("./support/plant-rule.js", import.meta.url).href

const all = [...new Set(plantedRules.map((it) => it.rule))]
/** A process for each takes long: `npm test` tries every fourth, `npm run test:whole` all. */
const rules = all.filter((_, at) => isWhole || at % 4 === 0)

/** Replays a trace in a process of its own, with a rule taken out or not: how it ends, and what it says. */
async function replayed(rule: string, { isPlanted }: { readonly isPlanted: boolean }) {
  const trace = fileURLToPath(new URL(`${rule}.json`, traces))
  const child = spawn(process.execPath, [...(isPlanted ? ["--import", planting] : []), program, trace], {
    env: { ...process.env, CONCLAVE_PLANTED: rule },
    stdio: ["ignore", "ignore", "pipe"],
  })
  let said = ""
  child.stderr.on("data", (text: Buffer) => {
    said += text
  })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject)
    child.once("close", resolve)
  })
  return { code, said }
}

describe("a rule that devices or service do not keep is found by the trace which needs it", { concurrency: 2 }, () => {
  it("and a trace is as the model says where nothing is taken out", async () => {
    const { code, said } = await replayed("sameName", { isPlanted: false })
    assert.equal(code, 0, said)
  })

  for (const rule of rules) {
    it(rule, async () => {
      const { code, said } = await replayed(rule, { isPlanted: true })
      assert.equal(code, 1)
      assert.match(said, /AssertionError|the service said denied/, said)
    })
  }
})
