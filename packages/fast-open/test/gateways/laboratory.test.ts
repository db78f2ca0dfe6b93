import assert from "node:assert/strict"
import { test } from "node:test"
import { noPostgres } from "@conclave/testing/servers"
import { measureGateways } from "../../lab/gateways.js"
import { missingPrivileges } from "../../lab/laboratory.js"

test("behind a balancer of packets, a flight that was recorded at one gateway runs at no other", {
  skip: missingPrivileges() ?? noPostgres ?? false,
  timeout: 120_000,
}, async () => {
  const report = await measureGateways({ requests: 24, times: 90 })
  const total = (numbers: readonly number[]) => numbers.reduce((sum, number) => sum + number, 0)
  // A busy machine answers some inside the connection: the register has its time for each.
  assert.ok(total(report.early) > 12, JSON.stringify(report))
  assert.ok(
    report.synData.every((count) => count > 0),
    "both gateways have got data in first packets",
  )
  assert.ok(
    report.byToken.every((count) => count > 0),
    "tokens are good at both, whichever gave them",
  )
  assert.equal(report.executed, 1)
  assert.deepEqual(report.whileCut, { executed: 1, early: 0, afterReplays: 0 })
})
