import { execFile } from "node:child_process"
import { closeSync, existsSync, fsyncSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { sqliteStore } from "@conclave/client/node"
import { openDatabase } from "@conclave/sqlite"
import { explain } from "../failure.js"
import { isNetworkFileSystem, mountOf } from "../system/mounts.js"
import type { Finding } from "./finding.js"
import { OPENED, REFUSED } from "./second-opener-codes.js"

const GIB = 1024 ** 3

/** Whether profiles and services can be kept there. What is made for that is in a folder of its own, and gone afterwards. */
export async function checkDataFolder(folder: string): Promise<readonly Finding[]> {
  const place = nearestExisting(folder)
  let trial: string
  try {
    trial = mkdtempSync(join(place, ".conclave-doctor-"))
  } catch (error) {
    // Without the name of what was to be made there.
    const reason = explain(Object.assign(error as Error, { path: undefined })).reason
    return [
      { verdict: "bad", text: `${place}, where data is kept, cannot be written to (${reason}).` },
      ...network(place),
    ]
  }
  try {
    return [space(folder, place), ...network(place), sync(trial), ...(await database(trial))]
  } finally {
    rmSync(trial, { recursive: true, force: true })
  }
}

function nearestExisting(folder: string): string {
  return existsSync(folder) || dirname(folder) === folder ? folder : nearestExisting(dirname(folder))
}

function space(folder: string, place: string): Finding {
  const { bavail, bsize } = statfsSync(place)
  const free = bavail * bsize
  const text = `Data is kept in ${folder}; ${(free / GIB).toFixed(1)} GiB are free there.`
  return { verdict: free < GIB / 10 ? "note" : "good", text }
}

function network(place: string): Finding[] {
  const mount = mountOf(place)
  if (mount === undefined || !isNetworkFileSystem(mount.type)) return []
  return [
    {
      verdict: "note",
      text:
        `${mount.folder} is a network drive (${mount.type}), where SQLite may lose data and locks do not always hold: ` +
        "keep data on a disk of this machine, with --data.",
    },
  ]
}

const SYNC_BYTES = 4096

function sync(trial: string): Finding {
  const file = join(trial, "sync")
  const descriptor = openSync(file, "w", 0o600)
  try {
    writeSync(descriptor, new Uint8Array(SYNC_BYTES))
    fsyncSync(descriptor)
    return { verdict: "good", text: "What is written there is on the disk when the system says so (fsync)." }
  } catch (error) {
    return { verdict: "bad", text: `The disk cannot keep what is written there (fsync): ${explain(error).reason}.` }
  } finally {
    closeSync(descriptor)
  }
}

async function database(trial: string): Promise<Finding[]> {
  const name = join(trial, "test.db")
  await using file = openDatabase({ file: name })
  file.migrate("doctor", ["CREATE TABLE sample (value INTEGER) STRICT"])
  const sqlite = String(file.read((connection) => connection.get("SELECT sqlite_version() AS version"))?.version)
  const rounds = 20
  const begin = performance.now()
  for (let i = 0; i < rounds; i++) {
    await file.write((connection) => connection.run("INSERT INTO sample VALUES (?)", [i]))
  }
  const milliseconds = ((performance.now() - begin) / rounds).toFixed(1)
  const speed = `SQLite ${sqlite} comes with libsql; a durable write takes ${milliseconds} ms there.`
  return [{ verdict: "good", text: speed }, await lock(trial)]
}

/** The lock of a profile, against a second process: within one process SQLite needs none of the system's. */
async function lock(trial: string): Promise<Finding> {
  const profile = join(trial, "profile.db")
  const store = sqliteStore(profile)
  try {
    const code = await exitCode(fileURLToPath(new URL("./second-opener.js", import.meta.url)), profile)
    if (code === REFUSED)
      return { verdict: "good", text: "Locks hold there: a second process is kept out of a profile." }
    if (code !== OPENED)
      return { verdict: "bad", text: `Locks could not be tried there: the second process ended with ${code}.` }
    return { verdict: "bad", text: "Locks do not hold there: two processes could open one profile and ruin it." }
  } finally {
    await store[Symbol.asyncDispose]()
  }
}

function exitCode(script: string, word: string): Promise<number | null> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [script, word], () => resolve(child.exitCode))
  })
}
