import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { noPostgres } from "@conclave/testing/servers"
import { inWords, trial } from "./faults/trial.js"

describe("gateways and their database under faults", { skip: noPostgres }, () => {
  // `npm run test:faults` does the same for ten minutes, with nats-server, network namespaces and more clients.
  it("lose nothing that was acknowledged, and have one history", async (test) => {
    const lines: string[] = []
    const outcome = await trial({
      ...{ seed: 3, seconds: 5, clients: 6, people: 2, gateways: 2 },
      ...{ withNats: false, withNamespaces: false, tell: (line: string) => void lines.push(line) },
    })
    const said = `${lines.join("\n")}\n${inWords(outcome)}`
    test.diagnostic(said)
    assert.deepEqual(outcome.violations, [], said)
    assert.equal(outcome.disagreement, undefined, said)
    // Something was done, something was done to it, and it went on.
    assert.ok(outcome.answers.get("accepted")! > 20, said)
    assert.ok([...outcome.faults.values()].reduce((sum, count) => sum + count, 0) >= 2, said)
    assert.ok(outcome.observations > 10 && outcome.messages > 3, said)
  })
})
