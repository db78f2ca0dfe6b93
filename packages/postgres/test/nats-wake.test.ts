import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { describe, it } from "node:test"
import { fileURLToPath } from "node:url"
import { temporaryFolder } from "@conclave/testing/delivery"
import { natsWake } from "../src/index.js"

describe("what natsWake is given", () => {
  it("is looked at first, and a password is in no error", () => {
    const servers = "nats://localhost"
    for (const subjectPrefix of ["", "a b", "a.*", ">", "a..b", "a."]) {
      assert.throws(() => natsWake({ servers, subjectPrefix }), RangeError)
    }
    assert.throws(() => natsWake({ servers: [] }), RangeError)
    assert.throws(
      () => natsWake({ servers: [servers, "nats://u:swordfish@localhost"] }),
      (error: Error) => error instanceof RangeError && !`${error.stack}`.includes("swordfish"),
    )
  })

  it("is of no use without the client's package, which the error names", (test) => {
    const folder = temporaryFolder(test)
    const here = dirname(fileURLToPath(import.meta.url))
    cpSync(join(here, "../src"), join(folder, "src"), { recursive: true })
    mkdirSync(join(folder, "node_modules"))
    const installed = join(here, "../../../../node_modules")
    for (const name of ["@conclave", "pg"]) symlinkSync(join(installed, name), join(folder, "node_modules", name))
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }')
    const program = 'import { natsWake } from "./src/index.js"; natsWake({ servers: "nats://localhost" })'
    const run = spawnSync(process.execPath, ["--input-type=module", "-e", program], { cwd: folder, encoding: "utf8" })
    assert.equal(run.status, 1)
    assert.match(
      run.stderr,
      /Error: hints by NATS need a package that is not installed: npm install @nats-io\/transport-node@~3\.3\.1\n/,
    )
  })
})
