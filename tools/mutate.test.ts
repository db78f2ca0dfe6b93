import assert from "node:assert/strict"
import { execFileSync, spawn } from "node:child_process"
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { after, test } from "node:test"
import { setTimeout } from "node:timers/promises"
import { type Explanation, readExplanations, unexplained } from "./explanations.js"
import { findSites, type MutationReport, mutate, survivorText } from "./mutation.js"
import { compiledOf, placedMutants } from "./mutation-scope.js"
import { root } from "./repository.js"

const folder = mkdtempSync(join(tmpdir(), "conclave-mutate-test-"))
after(() => rmSync(folder, { recursive: true, force: true }))
const fixture = join(folder, "repository")
const temporary = join(folder, "tmp")
mkdirSync(temporary)

const door = `
export * from "./lock.js";
export function isTooYoung(age) {
    if (age < 18) throw new Error("too young");
}
export function enter(guest) {
    if (guest.banned) return refused("banned");
    if (guest.name === "" || guest.name.length > 64) return refused("name");
    if (guest.drunk) return refused("drunk");
    return { type: "entered" };
}
export function countDown(from) {
    for (let left = from; ; left--) {
        if (left === 0) return undefined;
    }
}
export function closed() {
    throw new Error("closed");
}
export function refused(reason) {
    return { type: "refused", reason };
}
`
const lock = `export function lock(key) {
    if (key === undefined) return false;
    return true;
}
`
const doorTest = `
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";
import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname } from "node:path";
import { countDown, enter, lock } from "@door/door";
test("files in the temporary folder find no modules of the repository", () => {
    assert(!readdirSync(dirname(tmpdir())).includes("node_modules"));
});
test("a lock may have no key", () => void lock());
test("a banned guest is refused", () => assert.equal(enter({ banned: true }).type, "refused"));
test("a guest has a name", () => {
    assert.equal(enter({ name: "" }).type, "refused");
    // It is refused, and nobody looks.
    enter({ name: "x".repeat(65) });
});
test("a count ends", () => {
    const heart = ${JSON.stringify(join(folder, "heart"))};
    const beat = "setInterval(() => require('fs').appendFileSync(process.argv[1], '.'), 20)";
    const child = spawn(process.execPath, ["-e", beat, heart], { stdio: "ignore" });
    countDown(3);
    child.kill();
});
test("a process that is killed was refused before", async () => {
    const code = "import('@door/door').then((door) => { try { door.closed() } catch { console.log(1) } }); setInterval(() => {}, 100)";
    const child = spawn(process.execPath, ["-e", code], { stdio: ["ignore", "pipe", "ignore"] });
    const refused = await Promise.race([
        new Promise((resolve) => child.stdout.once("data", () => resolve(true))),
        new Promise((resolve) => setTimeout(resolve, 1000, false).unref()),
    ]);
    await new Promise((resolve) => setTimeout(resolve, 700));
    child.kill("SIGKILL");
    assert(refused);
});
`
const hallTest = `
import assert from "node:assert/strict";
import { test } from "node:test";
import { isTooYoung } from "@door/door";
import "./support.js";
test("who is young stays outside", () => assert.throws(() => isTooYoung(17)));
`
const written: Readonly<Record<string, string>> = {
  "package.json": JSON.stringify({ type: "module", workspaces: ["packages/*"] }),
  ".gitignore": "dist\n",
  "packages/door/package.json": JSON.stringify({ name: "@door/door", type: "module", exports: "./dist/src/door.js" }),
  "packages/door/src/door.ts": door,
  "packages/door/src/lock.ts": lock,
  "packages/door/src/view.tsx": "",
  "packages/door/test/door.test.ts": doorTest,
  "packages/door/dist/src/door.js": door,
  "packages/door/dist/src/lock.js": lock,
  "packages/door/dist/test/door.test.js": doorTest,
  "packages/hall/package.json": JSON.stringify({ name: "hall", type: "module", dependencies: { "@door/door": "*" } }),
  "packages/hall/src/hall.ts": "",
  "packages/hall/test/hall.test.ts": hallTest,
  "packages/hall/dist/test/hall.test.js": hallTest,
  "packages/hall/dist/test/support.js": "export const age = 17;\n",
  "packages/hall/dist/test/broken.test.js": 'throw new Error("broken");',
  "packages/hall/test/broken.test.ts": 'throw new Error("broken");',
}
for (const [file, content] of Object.entries(written)) {
  mkdirSync(dirname(join(fixture, file)), { recursive: true })
  writeFileSync(join(fixture, file), content)
}

const explanations = join(folder, "explained.json")
const explain = (...list: Explanation[]) => writeFileSync(explanations, JSON.stringify(list))
const drunk = { file: "packages/door/src/door.ts", within: "enter", part: "guest.drunk", by: "false" }
const explained: Explanation = { ...drunk, refusal: 'if (guest.drunk) return refused("drunk");', why: "all are sober" }

interface FixtureOptions {
  readonly names?: readonly string[]
  readonly tests?: readonly string[]
  readonly known?: readonly Explanation[]
}

async function mutateFixture({ names = [], tests = [], known = [] }: FixtureOptions = {}): Promise<{
  report: MutationReport
  printed: string[]
}> {
  const printed: string[] = []
  const { TMPDIR } = process.env
  process.env.TMPDIR = temporary
  try {
    const report = await mutate({
      root: fixture,
      names,
      tests,
      known,
      secondsMax: 6,
      browser: false,
      explanations,
      cache: join(folder, "cache"),
      print: (line) => printed.push(line),
    })
    return { report, printed }
  } finally {
    if (TMPDIR === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = TMPDIR
  }
}

const outcome = ({ outcomes }: MutationReport, part: string) => outcomes.find(({ mutant }) => mutant.part === part)!

test("every refusal is killed, explained, or survives", async () => {
  const killedOne = { ...explained, refusal: 'if (guest.banned) return refused("banned");', part: "guest.banned" }
  explain(explained, killedOne, { ...explained, refusal: "it reads in another way" })
  const { report, printed } = await mutateFixture()

  assert.equal(outcome(report, "guest.banned").killer?.failure, "a banned guest is refused")
  assert.equal(outcome(report, 'guest.name === ""').killer?.failure, "a guest has a name")
  assert.equal(outcome(report, "age < 18").killer?.test, "packages/hall/dist/test/hall.test.js")
  assert.equal(outcome(report, "left === 0").killer?.timedOut, true)
  assert.equal(
    outcome(report, 'throw new Error("closed");').killer?.failure,
    "a process that is killed was refused before",
  )
  assert.equal(outcome(report, "guest.drunk").explanation?.why, "all are sober")
  const survivors = report.outcomes.filter((it) => !it.killed && !it.explanation)
  assert.deepEqual(
    survivors.map(({ mutant, tests }) => [mutant.file, mutant.line, mutant.part, tests.length]),
    [
      ["packages/door/src/door.ts", 8, "guest.name.length > 64", 1],
      ["packages/door/src/lock.ts", 2, "key === undefined", 1],
    ],
  )
  assert.equal(report.outcomes.length, 10)

  assert.deepEqual(report.stale, [killedOne, { ...explained, refusal: "it reads in another way" }])
  assert.deepEqual(report.notCompiled, ["packages/door/src/view.tsx", "packages/hall/src/hall.ts"])
  assert.deepEqual(report.unusedTests, ["packages/hall/dist/test/broken.test.js"])
  assert(printed.includes("not used: packages/hall/dist/test/broken.test.js: it fails, before anything is taken out"))
  assert(printed.includes("3 test files; 3 of them are run for their coverage"))
  assert(printed.includes(survivorText(survivors[0]!.mutant, 1)))
})

test("nothing is left: no process, no folder, no change of the original", async () => {
  assert.deepEqual(readdirSync(temporary), [])
  assert.equal(readFileSync(join(fixture, "packages/door/dist/src/door.js"), "utf8"), door)
  const heart = join(folder, "heart")
  const beats = statSync(heart).size
  assert(beats > 0, "the test that hung had started no process")
  await setTimeout(200)
  assert.equal(statSync(heart).size, beats)
})

test("coverage is learnt again only where something has changed", async () => {
  explain()
  rmSync(join(fixture, "packages/hall/dist/test/broken.test.js"))
  appendFileSync(join(fixture, "packages/hall/dist/test/support.js"), "// changed\n")
  writeFileSync(join(fixture, "packages/door/dist/src/view.js"), "export function f(a) { if (a) throw a; }\n")
  const { report, printed } = await mutateFixture({ names: ["src/view"] })
  assert(printed.includes("2 test files; 1 of them are run for their coverage"))
  assert.deepEqual(
    report.outcomes.map(({ killed, tests }) => ({ killed, tests })),
    [{ killed: false, tests: [] }],
  )
})

test("only some tests run, and what was killed before is not tried", async () => {
  const { outcomes } = (await mutateFixture({ names: ["src/door"], tests: ["hall"] })).report
  assert.deepEqual(
    outcomes.filter((it) => it.killed).map(({ mutant }) => mutant.part),
    ["age < 18"],
  )
  const known = outcomes.filter((it) => it.killed).map(({ mutant }) => unexplained(mutant))
  const again = await mutateFixture({ names: ["src/door"], tests: ["hall"], known })
  assert.equal(again.report.outcomes.length, outcomes.length - 1)
})

test("files are chosen by package, by path and by what has changed since a commit", () => {
  const git = (...options: string[]) =>
    execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@example.org", ...options], { cwd: fixture })
  git("init", "-q")
  git("add", ".")
  git("commit", "-q", "-m", "first")
  const sources = (...names: string[]) => findSites({ root: fixture, names, since: undefined }).sources
  const all = [
    ...["door.ts", "lock.ts", "view.tsx"].map((name) => `packages/door/src/${name}`),
    "packages/hall/src/hall.ts",
  ]
  assert.deepEqual(sources(), all)
  assert.deepEqual(sources("hall"), all.slice(3))
  assert.deepEqual(sources("src/door", "hall"), [all[0], all[3]])
  assert.throws(() => sources("window"), /belongs to "window"/)

  const since = (commit: string) => findSites({ root: fixture, names: [], since: commit }).sources
  assert.deepEqual(since("HEAD"), [])
  appendFileSync(join(fixture, "packages/door/src/door.ts"), "\n// changed\n")
  writeFileSync(join(fixture, "packages/hall/src/new.ts"), "")
  assert.deepEqual(since("HEAD"), ["packages/door/src/door.ts", "packages/hall/src/new.ts"])
  assert.throws(() => since("--output=file"), /is not a commit/)
})

test("an interrupted run removes its copies and ends its tests", async () => {
  const module = (name: string) => JSON.stringify(new URL(name, import.meta.url).href)
  const code = `
    import { createWorkplace, endOnSignals, runTest } from ${module("./workplace.js")}
    endOnSignals()
    const place = createWorkplace(${JSON.stringify(fixture)})
    setTimeout(() => console.log(place), 300)
    await runTest(place, { test: "packages/hall/dist/test/endless.test.js", limitSeconds: 60 })`
  const heart = join(folder, "endless")
  const beat = `setInterval(() => require("node:fs").appendFileSync(${JSON.stringify(heart)}, "."), 20)`
  writeFileSync(
    join(fixture, "packages/hall/dist/test/endless.test.js"),
    beat.replace("require(", "process.getBuiltinModule("),
  )
  const child = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["ignore", "pipe", "inherit"] })
  const place = await new Promise<string>((resolve) =>
    child.stdout.once("data", (text) => resolve(String(text).trim())),
  )
  assert(existsSync(join(place, "packages/door/dist/src/door.js")))
  // On a busy machine the test begins late.
  for (let waits = 0; waits < 1_000 && !existsSync(heart); waits++) await setTimeout(20)
  child.kill("SIGTERM")
  assert.equal(await new Promise((resolve) => child.once("exit", resolve)), 130)
  assert(!existsSync(place))
  const beats = statSync(heart).size
  await setTimeout(100)
  assert.equal(statSync(heart).size, beats)
})

test("an explanation has a reason", () => {
  explain({ ...explained, why: " " })
  assert.throws(() => readExplanations(explanations), /gives no reason/)
  writeFileSync(explanations, '[{"file":"a"}]')
  assert.throws(() => readExplanations(explanations), /an explanation has file/)
})

test("every mutant that is explained exists", () => {
  const mutants = new Map<string, string[]>()
  const key = (it: Explanation) => JSON.stringify({ ...it, why: "" })
  for (const explanation of readExplanations(join(root, "tools/mutants-explained.json"))) {
    const { file } = explanation
    const compiled = compiledOf(root, file)
    assert(compiled, `${file} is explained, and does not exist`)
    if (!mutants.has(file))
      mutants.set(
        file,
        placedMutants(root, file, compiled).map((it) => key(unexplained(it))),
      )
    assert(mutants.get(file)!.includes(key(explanation)), `nothing reads like ${JSON.stringify(explanation)}`)
  }
})
