import assert from "node:assert/strict"
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, it } from "node:test"
import { fileURLToPath } from "node:url"
import { missingPrivileges } from "../lab/laboratory.js"

const main = fileURLToPath(new URL("../lab/main.js", import.meta.url))

describe("the laboratory", { skip: missingPrivileges() ?? false }, () => {
  it("leaves nothing at Ctrl-C or SIGTERM: no namespace, no process in one, no temporary file", async () => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      const folder = mkdtempSync(join(tmpdir(), "interrupted-"))
      const lab = spawn(process.execPath, [main, "ways"], {
        env: { ...process.env, TMPDIR: folder },
        stdio: "ignore",
      })
      const namespaces = () =>
        existsSync("/run/netns")
          ? readdirSync("/run/netns").filter((name) => name.startsWith(`conclave-lab-${lab.pid}-`))
          : []
      const inside = (name: string) =>
        spawnSync("ip", ["netns", "pids", name], { encoding: "utf8" }).stdout.split("\n").filter(Boolean).map(Number)
      try {
        const deadline = performance.now() + 30_000
        let pids: readonly number[] = []
        // An experiment is under way: both hosts run, and an observer writes.
        while (pids.length < 2 || readdirSync(folder).length === 0) {
          assert.ok(performance.now() < deadline && lab.exitCode === null, "no experiment began")
          await new Promise((resolve) => setTimeout(resolve, 20))
          pids = namespaces().flatMap(inside)
        }
        const ended = once(lab, "exit")
        lab.kill(signal)
        assert.deepEqual(await ended, [signal === "SIGINT" ? 130 : 143, null])
        assert.deepEqual(namespaces(), [])
        assert.deepEqual(readdirSync(folder), [])
        const isAlive = (pid: number) => /^State:\s+[^ZX]/m.test(status(pid))
        while (pids.some(isAlive)) {
          assert.ok(performance.now() < deadline, "a host goes on")
          await new Promise((resolve) => setTimeout(resolve, 20))
        }
      } finally {
        lab.kill("SIGKILL")
        for (const name of namespaces()) spawnSync("ip", ["netns", "del", name])
        rmSync(folder, { recursive: true, force: true })
      }
    }
  })
})

const status = (pid: number): string => spawnSync("cat", [`/proc/${pid}/status`], { encoding: "utf8" }).stdout
