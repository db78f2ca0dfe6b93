import { spawnSync } from "node:child_process"
import { closeSync, openSync, writeSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { createGroupRequest, createService, messageRequest, sha256 } from "@conclave/testing/delivery"
import { openDatabase } from "../src/database.js"
import { deliveryStore } from "../src/delivery/store.js"

/** In a folder of a small disk of its own: fills the disk, opens the service's file, tells what it answers. */
const [folder, ending, part] = process.argv.slice(2)
const file = join(folder!, "service.db")
const groupId = new Uint8Array(32).fill(1)

if (part === "write") {
  const database = openDatabase({ file })
  const service = createService(deliveryStore(database, sha256))
  await service.ask(createGroupRequest(groupId))
  for (let i = 0; i < 3; i++) await service.ask(messageRequest(groupId, 0n, { size: 1000 }))
  if (ending === "killed") process.kill(process.pid, "SIGKILL")
  await database.close()
} else {
  spawnSync(process.execPath, [fileURLToPath(import.meta.url), folder!, ending!, "write"], { stdio: "inherit" })
  fill(join(folder!, "fill"))
  await using database = openDatabase({ file })
  const service = createService(deliveryStore(database, sha256))
  const read = await service.ask({ type: "read", groupId, afterSeq: 0n, limit: 10 })
  const append = await service.ask(messageRequest(groupId, 0n, { size: 20_000 }))
  const head = await service.ask({ type: "head", groupId })
  console.log(
    JSON.stringify([
      read.type === "entries" ? read.entries.length : read,
      append,
      head.type === "head" ? Number(head.headSeq) : head,
    ]),
  )
}

function fill(path: string): void {
  const descriptor = openSync(path, "w")
  for (const size of [65_536, 4_096, 1]) {
    try {
      for (;;) writeSync(descriptor, new Uint8Array(size))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error
    }
  }
  closeSync(descriptor)
}
