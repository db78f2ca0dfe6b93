import assert from "node:assert/strict"
import { test } from "node:test"
import { run } from "./recovery/run.js"
import { runStopped } from "./recovery/stopped.js"
import { template } from "./recovery/template.js"

const five = template(5, 5)

test("five members of whom some could not follow a commit are together again within 90 seconds, and nothing is lost", async () => {
  let stuck = 0
  for (let seed = 1; seed <= 8; seed++) {
    const { phases, lost } = await run(await five, { seed })
    assert.deepEqual(lost, [], `seed ${seed}`)
    for (const { sinceFollower, followers, stuck: some } of phases) {
      if (followers === 0) continue
      stuck += some
      assert.ok(sinceFollower !== undefined && sinceFollower <= 90_000, `seed ${seed}: ${sinceFollower}`)
    }
  }
  assert.ok(stuck > 8)
})

test("where the service shows nobody a knock, they are not", async () => {
  const { phases } = await run(await five, { seed: 1, hidesKnocks: true })
  assert.ok(phases.every(({ stuck, sinceFollower }) => stuck === 0 || sinceFollower === undefined))
  assert.ok(phases.some(({ stuck }) => stuck > 0))
})

test("five members whom one has stopped are together in a new group within 90 seconds of one click, and all that waited is there once", async () => {
  for (let seed = 1; seed <= 4; seed++) {
    const { sinceClick, sinceBack, lost, wrong } = await runStopped(await five, { seed })
    assert.deepEqual([lost, wrong], [[], []], `seed ${seed}`)
    for (const time of [sinceClick, ...sinceBack]) {
      assert.ok(time !== undefined && time <= 90_000, `seed ${seed}: ${time}`)
    }
    assert.equal(sinceBack.length, 1)
  }
})

test("where nobody accepts, they are not, and that is seen", async () => {
  const { sinceClick, sinceBack, lost, wrong } = await runStopped(await five, { seed: 1, accepts: false })
  assert.deepEqual([sinceClick, ...sinceBack], [undefined, undefined])
  assert.ok(lost.length > 0)
  assert.ok(wrong.some((text) => text.endsWith("has 2 conversations")))
})

test("a seed gives the same again", async () => {
  for (const once of [
    () => five.then((it) => run(it, { seed: 7 })),
    () => five.then((it) => runStopped(it, { seed: 7 })),
  ]) {
    assert.deepEqual(await once(), await once())
  }
})
