import assert from "node:assert/strict"
import { test } from "node:test"
import { attackOf } from "../src/catalogue.js"
import { runAttack } from "../src/run.js"
import { Undefended } from "../src/undefended.js"

test("an attack that fails succeeds in a copy without its defence, and fails there again with it", async () => {
  const attack = attackOf("D1")
  using copy = new Undefended()
  assert.equal(succeeded(await runAttack(attack)), false)
  assert.equal(succeeded(await copy.run(attack)), true)
  assert.equal(succeeded(await runAttack(attack, copy.folder)), false)
})

test("a defence whose text is not in the code is told, not passed over", async () => {
  using copy = new Undefended()
  const [defence] = attackOf("D1").defence!
  const ran = await copy.run({ ...attackOf("D1"), defence: [{ ...defence!, find: "no such text" }] })
  assert.match("broken" in ran ? ran.broken : "", /occurs 0 times/)
})

function succeeded(ran: Awaited<ReturnType<typeof runAttack>>): boolean {
  assert.ok("succeeded" in ran, "broken" in ran ? ran.broken : "")
  return ran.succeeded
}
