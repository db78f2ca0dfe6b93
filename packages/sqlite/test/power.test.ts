import assert from "node:assert/strict"
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { before, describe, it } from "node:test"
import { fileURLToPath } from "node:url"
import {
  createGroupRequest,
  createService,
  expectType,
  logOf,
  messageRequest,
  random,
  sha256,
  temporaryFolder,
} from "@conclave/testing/delivery"
import { Disk, type DiskStep, noStrace, recordSteps, seeded } from "@conclave/testing/disk"
import { type Operation, violationsOf } from "@conclave/testing/log-history"
import { openDatabase } from "../src/database.js"
import { deliveryStore } from "../src/delivery/store.js"

const LOSSES = process.env.CONCLAVE_WHOLE === "1" ? 400 : 30
/** Enough for two checkpoints, which is when the file itself is written. */
const ENTRIES = 600

describe("a service whose power fails while it appends", { skip: noStrace ?? false }, () => {
  const groupId = random(32)
  const seed = Math.floor(Math.random() * 2 ** 32)
  let steps: readonly DiskStep[] = []
  before(() => {
    console.log(`losses of power by seed ${seed}`)
    const folder = mkdtempSync(join(realpathSync(tmpdir()), "conclave-power-"))
    try {
      const child = fileURLToPath(new URL("./power-child.js", import.meta.url))
      const parameters = [child, folder, Buffer.from(groupId).toString("hex"), `${ENTRIES}`]
      steps = recordSteps(folder, process.execPath, parameters)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  it("has written to its file, not only to the log that goes before", () => {
    const checkpoints = steps.filter((step) => step.type === "sync" && step.name === "service.db")
    assert.ok(checkpoints.length >= 4, `${checkpoints.length} syncs of the file`)
  })

  it("has lost nothing that was acknowledged when it is there again, and goes on", async (test) => {
    const chance = seeded(seed)
    const moments = Array.from({ length: LOSSES }, () => Math.floor(chance() * (steps.length + 1))).sort(
      (a, b) => a - b,
    )
    const disk = new Disk()
    let done = 0
    const acknowledged: number[] = []
    for (const moment of moments) {
      for (; done < moment; done++) disk.apply(steps[done]!)
      const folder = join(temporaryFolder(test), `${moment}`)
      const history = operationsBefore(moment)
      assert.deepEqual(await foundAfter(folder, disk.afterLoss(chance), history), [], `after step ${moment}`)
      acknowledged.push(history.filter(({ what }) => what.type === "append" && what.answer.type === "accepted").length)
    }
    test.diagnostic(`${LOSSES} losses among ${steps.length} steps; up to ${acknowledged.at(-1)} acknowledged`)
  })

  it("would have lost some on a disk that promises what it does not keep", async (test) => {
    const chance = seeded(seed)
    const disk = new Disk({ syncs: false })
    for (const step of steps) disk.apply(step)
    const folder = temporaryFolder(test)
    const history = operationsBefore(steps.length)
    let losses = 0
    for (let time = 0; time < 8; time++) {
      const found = await foundAfter(join(folder, `${time}`), disk.afterLoss(chance), history).catch((error) => [
        `${error}`,
      ])
      losses += found.length > 0 ? 1 : 0
    }
    assert.ok(losses > 0)
  })

  /** What it had said before a moment. */
  function operationsBefore(moment: number): Operation[] {
    const said = steps
      .slice(0, moment)
      .flatMap((step) => (step.type === "write" && step.name === "said" ? [Buffer.from(step.bytes).toString()] : []))
    const words = said
      .join("")
      .split("\n")
      .map((line) => line.split(" "))
    const accepted = new Map(
      words.flatMap(([what, body, seq, hash], at) =>
        what === "accepted" ? [[body!, { at, seq: BigInt(seq!), hash: hash! }]] : [],
      ),
    )
    const asked = words.flatMap(([what, body], at): Operation[] => {
      if (what !== "asked") return []
      const answer = accepted.get(body!)
      return [
        {
          client: "a client",
          start: at,
          end: answer?.at ?? Number.POSITIVE_INFINITY,
          what: {
            type: "append",
            id: body!,
            body: body!,
            after: 0n,
            answer:
              answer === undefined ? { type: "unknown" } : { type: "accepted", seq: answer.seq, hash: answer.hash },
          },
        },
      ]
    })
    return asked
  }

  /** What is wrong with what the next start finds. */
  async function foundAfter(folder: string, files: ReadonlyMap<string, Uint8Array>, operations: readonly Operation[]) {
    mkdirSync(folder)
    for (const [name, bytes] of files) writeFileSync(join(folder, name), bytes)
    await using database = openDatabase({ file: join(folder, "service.db") })
    const store = deliveryStore(database, sha256)
    const service = createService(store)
    const isCreated = operations.length > 0
    const created = await service.ask({ type: "head", groupId })
    if (created.type === "notFound") {
      if (isCreated) return ["the group is not there"]
      expectType(await service.ask(createGroupRequest(groupId)), "done")
    }
    const { entries: log } = await logOf(store, groupId)
    const wrong = violationsOf({ groupId, log, operations, sha256 }).map(({ text }) => text)
    const check = database
      .read((connection) => connection.all("PRAGMA integrity_check"))
      .map((row) => Object.values(row)[0])
    if (check.join() !== "ok") wrong.push(...check.map(String))
    const next = expectType(await service.ask(messageRequest(groupId, 0n)), "accepted")
    if (next.seq !== BigInt(log.length + 1)) wrong.push(`the next entry is ${next.seq} after ${log.length}`)
    return wrong
  }
})
