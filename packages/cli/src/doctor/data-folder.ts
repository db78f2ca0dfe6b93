import { execFile } from "node:child_process"
import { closeSync, existsSync, fsyncSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { sqliteStore } from "@conclave/client/node"
import { openDatabase } from "@conclave/sqlite"
import { explain } from "../failure.js"
import { isNetworkFileSystem, mountOf } from "../system/mounts.js"
import type { Words } from "../words/form.js"
import type { Finding } from "./finding.js"
import { OPENED, REFUSED } from "./second-opener-codes.js"

const GIB = 1024 ** 3

/** Whether profiles and services can be kept there. What is made for that is in a folder of its own, and gone afterwards. */
export async function checkDataFolder(folder: string, said: Words): Promise<readonly Finding[]> {
  const place = nearestExisting(folder)
  let trial: string
  try {
    trial = mkdtempSync(join(place, ".conclave-doctor-"))
  } catch (error) {
    // Without the name of what was to be made there.
    const reason = explain(Object.assign(error as Error, { path: undefined }), said).reason
    return [{ verdict: "bad", text: said.machine.notWritable(place, reason) }, ...network(place, said)]
  }
  try {
    return [space(folder, place, said), ...network(place, said), sync(trial, said), ...(await database(trial, said))]
  } finally {
    rmSync(trial, { recursive: true, force: true })
  }
}

function nearestExisting(folder: string): string {
  return existsSync(folder) || dirname(folder) === folder ? folder : nearestExisting(dirname(folder))
}

function space(folder: string, place: string, { machine }: Words): Finding {
  const { bavail, bsize } = statfsSync(place)
  const free = bavail * bsize
  const text = machine.space(folder, free / GIB)
  return { verdict: free < GIB / 10 ? "note" : "good", text }
}

function network(place: string, { machine }: Words): Finding[] {
  const mount = mountOf(place)
  if (mount === undefined || !isNetworkFileSystem(mount.type)) return []
  return [
    {
      verdict: "note",
      text: machine.networkDrive(mount.folder, mount.type),
    },
  ]
}

const SYNC_BYTES = 4096

function sync(trial: string, said: Words): Finding {
  const file = join(trial, "sync")
  const descriptor = openSync(file, "w", 0o600)
  try {
    writeSync(descriptor, new Uint8Array(SYNC_BYTES))
    fsyncSync(descriptor)
    return { verdict: "good", text: said.machine.syncs }
  } catch (error) {
    return { verdict: "bad", text: said.machine.doesNotSync(explain(error, said).reason) }
  } finally {
    closeSync(descriptor)
  }
}

async function database(trial: string, said: Words): Promise<Finding[]> {
  const name = join(trial, "test.db")
  await using file = openDatabase({ file: name })
  file.migrate("doctor", ["CREATE TABLE sample (value INTEGER) STRICT"])
  const sqlite = String(file.read((connection) => connection.get("SELECT sqlite_version() AS version"))?.version)
  const rounds = 20
  const begin = performance.now()
  for (let i = 0; i < rounds; i++) {
    await file.write((connection) => connection.run("INSERT INTO sample VALUES (?)", [i]))
  }
  const speed = said.machine.sqlite(sqlite, (performance.now() - begin) / rounds)
  return [{ verdict: "good", text: speed }, await lock(trial, said)]
}

/** The lock of a profile, against a second process: within one process SQLite needs none of the system's. */
async function lock(trial: string, { machine }: Words): Promise<Finding> {
  const profile = join(trial, "profile.db")
  const store = sqliteStore(profile)
  try {
    const code = await exitCode(fileURLToPath(new URL("./second-opener.js", import.meta.url)), profile)
    if (code === REFUSED) return { verdict: "good", text: machine.locks }
    if (code !== OPENED) return { verdict: "bad", text: machine.locksNotTried(code) }
    return { verdict: "bad", text: machine.noLocks }
  } finally {
    await store[Symbol.asyncDispose]()
  }
}

function exitCode(script: string, word: string): Promise<number | null> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [script, word], () => resolve(child.exitCode))
  })
}
