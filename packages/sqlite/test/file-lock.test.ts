import assert from "node:assert/strict"
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, it, type TestContext } from "node:test"
import { fileURLToPath } from "node:url"
import { temporaryFolder } from "@conclave/testing/delivery"
import { openDatabase } from "../src/database.js"
import { type FileLock, lockFile } from "../src/file-lock.js"

interface Told {
  readonly opened: boolean
  readonly reason?: string
}

const program = fileURLToPath(new URL("./opening-child.js", import.meta.url))

const removingProgram = fileURLToPath(new URL("./removing-child.js", import.meta.url))

/** Asks as long as another process has it. */
function untilLocked(file: string): FileLock {
  for (;;) {
    try {
      return lockFile(file)
    } catch (error) {
      assert.match(String(error), /in use by/)
    }
  }
}

/** Another process that opens the file. */
async function opening(test: TestContext, file: string): Promise<{ child: ChildProcess; told: Told }> {
  const child = fork(program, [file])
  test.after(() => child.kill("SIGKILL"))
  const [told] = await once(child, "message")
  return { child, told }
}

describe("a file of a service", { timeout: 30_000 }, () => {
  it("that another process has is refused at once, with its process id, by whatever path", async (test) => {
    const folder = temporaryFolder(test)
    const file = join(folder, "service.db")
    const { child, told } = await opening(test, file)
    assert.deepEqual(told, { opened: true })
    symlinkSync(file, join(folder, "other.db"))
    const start = performance.now()
    for (const path of [file, join(folder, "other.db")]) {
      assert.throws(() => openDatabase({ file: path }), {
        code: "STORE_UNAVAILABLE",
        message: `the file is in use by process ${child.pid}`,
      })
    }
    assert.ok(performance.now() - start < 1_000)
  })

  it("is free as soon as that process is killed, without any cleaning", async (test) => {
    const file = join(temporaryFolder(test), "service.db")
    for (let round = 0; round < 3; round++) {
      const { child, told } = await opening(test, file)
      assert.deepEqual(told, { opened: true })
      child.kill("SIGKILL")
      await once(child, "exit")
    }
    await openDatabase({ file }).close()
  })

  it("is free as soon as it is closed, and refused meanwhile in this process too", async (test) => {
    const file = join(temporaryFolder(test), "service.db")
    const first = openDatabase({ file })
    assert.throws(() => openDatabase({ file }), new RegExp(`in use by process ${process.pid}`))
    // That attempt has not let go of what the first one holds.
    assert.equal((await opening(test, file)).told.opened, false)
    await first.close()
    assert.equal((await opening(test, file)).told.opened, true)
  })

  it("is let go of once: what was closed before does not touch it any more", async (test) => {
    const file = join(temporaryFolder(test), "service.db")
    const first = openDatabase({ file })
    await first.close()
    await using _second = openDatabase({ file })
    await first.close()
    assert.throws(() => openDatabase({ file }), new RegExp(`in use by process ${process.pid}`))
  })

  it("leaves nothing of its lock where that is wanted, and a process that waits for it then has a real one", async (test) => {
    const folder = temporaryFolder(test)
    const file = join(folder, "service.db")
    lockFile(file).remove()
    assert.deepEqual(readdirSync(folder), [])
    for (let round = 0; round < 5; round++) {
      const child = fork(removingProgram, [file])
      await once(child, "message")
      child.send(50)
      await new Promise((resolve) => setTimeout(resolve, 10 * round))
      const lock = untilLocked(file)
      assert.equal((await opening(test, file)).told.opened, false, `round ${round}`)
      lock.release()
    }
  })

  it("of many processes that ask at the same moment, one gets it", async (test) => {
    const file = join(temporaryFolder(test), "service.db")
    const all = await Promise.all(Array.from({ length: 6 }, () => opening(test, file)))
    const holders = all.filter(({ told }) => told.opened)
    assert.equal(holders.length, 1)
    for (const { told } of all) if (!told.opened) assert.match(told.reason!, /in use by (another process|process \d+)/)
  })

  it("is free again after it could not be opened", async (test) => {
    const file = join(temporaryFolder(test), "noise.db")
    writeFileSync(file, new Uint8Array(8192).fill(7))
    assert.throws(() => openDatabase({ file }), /no database/)
    assert.match((await opening(test, file)).told.reason!, /no database/)
  })

  it("that cannot be locked is not opened, and the reason is not that somebody has it", (test) => {
    const folder = temporaryFolder(test)
    mkdirSync(join(folder, "a.db-lock"))
    writeFileSync(join(folder, "b.db-lock"), new Uint8Array(8192).fill(7))
    for (const name of ["a.db", "b.db"]) {
      const refused = { code: "STORE_UNAVAILABLE", message: "the file cannot be locked" }
      assert.throws(() => openDatabase({ file: join(folder, name) }), refused)
      assert.equal(existsSync(join(folder, name)), false)
    }
  })

  it("in a folder that does not exist has no lock either", (test) => {
    const file = join(temporaryFolder(test), "missing", "service.db")
    const refused = { code: "STORE_UNAVAILABLE", message: "the database cannot be opened" }
    assert.throws(() => lockFile(file), refused)
  })

  it("is readable by its owner alone, and so are the files beside it", async (test) => {
    const folder = temporaryFolder(test)
    const before = process.umask(0)
    try {
      await using database = openDatabase({ file: join(folder, "service.db") })
      database.read((connection) => connection.get("SELECT 1"))
      const modes = readdirSync(folder)
        .filter((name) => !name.includes("-lock"))
        .map((name) => [name, statSync(join(folder, name)).mode & 0o777])
      assert.deepEqual(new Map(modes as [string, number][]).get("service.db"), 0o600)
      assert.ok(
        modes.every(([, mode]) => mode === 0o600),
        JSON.stringify(modes),
      )
    } finally {
      process.umask(before)
    }
  })

  it("in memory alone is nobody else's", async () => {
    await using first = openDatabase({ file: ":memory:" })
    await using second = openDatabase({ file: ":memory:" })
    assert.notEqual(first, second)
  })
})
