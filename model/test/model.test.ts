import assert from "node:assert/strict"
import { readdirSync, readFileSync } from "node:fs"
import { test } from "node:test"
import { exploreForks } from "../src/fork.js"
import { hunt, planted } from "../src/planted.js"
import { mended, ruleWords } from "../src/rules.js"
import { scenarios } from "../src/scenarios.js"
import { explore } from "../src/search.js"
import { membersOf } from "../src/state.js"
import { outcomeOf, replay, type Trace, withKept } from "../src/traces.js"

const folder = new URL("../../traces/", import.meta.url)
const traces = readdirSync(folder).map((name) => {
  return [name, JSON.parse(readFileSync(new URL(name, folder), "utf8")) as Trace] as const
})
const violations = (outcome: readonly string[]) => outcome.filter((it) => !it.startsWith("limit: "))

for (const fault of planted) {
  test(`without the rule "${ruleWords[fault.rule]}" an invariant is violated`, () => {
    const { found } = hunt(fault)
    assert.equal(found?.of, fault.of)
  })
}

test("with every rule kept, nothing is violated where a member is removed and another let in", () => {
  // All of it takes long: `npm run test:whole`.
  const isWhole = process.env.CONCLAVE_WHOLE === "1"
  const until = isWhole ? {} : { states: 10_000 }
  const { isComplete, found, states } = explore(scenarios.find(({ name }) => name === "removed")!, mended, until)
  assert.equal(isComplete, isWhole)
  assert.ok(states > 10_000)
  assert.deepEqual(
    found.filter(({ of }) => of !== "limit"),
    [],
  )
})

test("with heads compared, two histories are noticed when members meet", () => {
  const { isComplete, found } = exploreForks(mended)
  assert.ok(isComplete)
  assert.deepEqual(found, [])
})

test("each planted fault has its trace", () => {
  const kept = traces.flatMap(([, { without }]) => without ?? [])
  assert.deepEqual(kept.sort(), planted.map(({ rule }) => rule).sort())
})

for (const [name, trace] of traces.filter(([, { scenario }]) => scenario !== "fork")) {
  const { expected } = trace
  test(`the trace ${name} leads to what it says`, () => {
    const outcome = outcomeOf(trace)
    if ("violates" in expected) {
      assert.ok(outcome.includes(`${expected.violates}: ${expected.words}`), outcome.join("; "))
      return
    }
    assert.deepEqual(violations(outcome), [])
    const end = replay(trace)
    assert.ok(!("actor" in end))
    const states = Object.fromEntries(membersOf(end).map(([member, { status }]) => [member, status]))
    assert.deepEqual(states, expected.states)
  })

  test(`the trace ${name} says to each action what the model says where every rule is kept`, () => {
    assert.equal(trace.kept?.length, trace.actions.length)
    assert.deepEqual(JSON.parse(JSON.stringify(withKept(trace).kept)), trace.kept)
  })
}
