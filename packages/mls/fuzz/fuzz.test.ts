import assert from "node:assert/strict"
import { test } from "node:test"
import { corpusSize, readCorpus } from "./corpus.js"
import { Coverage } from "./coverage.js"
import { execute, Finding, fuzz, type Target } from "./engine.js"
import { drawing } from "./random.js"

/** How many changes are tried: a group takes a millisecond, a decoder some microseconds. */
const changes = { groups: 400, rest: 15_000 }

// V8 counts the blocks of what is loaded from now on.
const coverage = new Coverage(
  /\/packages\/(codec|crypto|mls|contracts|delivery|auth)\/dist\/src\/|\/fuzz\/planted\.js$/,
)
const { planted } = await import("./planted.js")
const { allTargets } = await import("./targets/index.js")

const targetOf = (run: Target["run"]): Target => ({
  name: "planted",
  seeds: [new Uint8Array(4)],
  batch: 256,
  share: 1,
  run,
})
const found = (message: RegExp) => (error: unknown) => error instanceof Finding && message.test(error.message)

const targets = await allTargets()
const corpus = readCorpus()
const ofGroups = ["receive", "join", "external join"]

test("the corpus is of targets that there are", () => {
  const known = new Set(targets.map(({ name }) => name))
  assert.deepEqual(
    [...corpus.keys()].filter((name) => !known.has(name)),
    [],
  )
  assert(corpusSize(corpus).inputs > 100)
})

test(`groups understand or refuse what is kept, and ${changes.groups} changes of it`, async () => {
  const groups = targets.filter(({ name }) => ofGroups.includes(name))
  const { outcomes } = await tryOut(groups, changes.groups)
  // Both have to occur everywhere, or the inputs prove nothing.
  for (const name of ofGroups) {
    const ways = [...outcomes.get(name)!.keys()]
    assert(
      ways.some((way) => way.startsWith("accepted")),
      `${name} accepts something`,
    )
    const refusals = ways.filter((way) => way.startsWith("refused"))
    assert(refusals.length >= 5, `${name} refuses in ${refusals.length} ways`)
  }
})

test(`decoders and services understand or refuse what is kept, and ${changes.rest} changes of it`, async () => {
  const rest = targets.filter(({ name }) => !ofGroups.includes(name))
  const { outcomes } = await tryOut(rest, changes.rest)
  const decoded = [...outcomes].filter(([, ways]) => ways.has("decoded"))
  assert(decoded.length > rest.length / 2, `${decoded.length} of ${rest.length} decode something`)
  assert(coverage.edges > 1000, `${coverage.edges} edges`)
})

async function tryOut(some: readonly Target[], executionsMax: number) {
  let replayed = 0
  const goesOn = (executions: number): boolean => {
    replayed ||= executions
    return executions < replayed + executionsMax
  }
  const result = await fuzz({ targets: some, corpus, coverage, draw: drawing(9420), goesOn })
  if (result.finding) throw result.finding
  return result
}

test("coverage leads to a fault that chance would not find", async () => {
  const onlyThis = [targetOf(planted)]
  const goesOn = (executions: number) => executions < 100_000
  const { finding } = await fuzz({ targets: onlyThis, corpus: new Map(), coverage, draw: drawing(2), goesOn })
  assert.match(finding?.message ?? "nothing was found", /the planted fault/)
  assert.deepEqual(finding?.input.subarray(0, 3), new TextEncoder().encode("fuz"))
})

test("an input that takes too long, three times, is a finding", async () => {
  const dawdle = (): string => {
    const start = process.cpuUsage()
    while (process.cpuUsage(start).user < 30_000);
    return "done"
  }
  await assert.rejects(
    execute(targetOf(dawdle), new Uint8Array(1), { inputMilliseconds: 20 }),
    found(/took \d+ ms, three times/),
  )
})

test("the same seed tries the same inputs", async () => {
  const tried = async (): Promise<string> => {
    const inputs: string[] = []
    const note = (input: Uint8Array): string => {
      inputs.push(Buffer.from(input).toString("hex"))
      return "noted"
    }
    await fuzz({ targets: [targetOf(note)], corpus: new Map(), coverage, draw: drawing(1), goesOn: (it) => it < 200 })
    return inputs.join("\n")
  }
  assert.equal(await tried(), await tried())
})
