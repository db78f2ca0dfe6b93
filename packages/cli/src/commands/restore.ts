import {
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
} from "node:fs"
import { basename, dirname, join } from "node:path"
import { equalBytes } from "@conclave/crypto"
import { nodeProvider } from "@conclave/crypto/node"
import { raiseIncarnation } from "@conclave/delivery"
import { lockFile, OperatorFile, settleFile, unpackBackup, updateUnpacked } from "@conclave/sqlite"
import { command, flag, optional } from "../arguments.js"
import { headOf, seeming, whyUnread } from "../causes/file.js"
import { whyUnusable } from "../causes/service-file.js"
import { dataFolder, keyFile, openDataFolder, serviceFile } from "../data-folder.js"
import { exitCodes, explain, Failure } from "../failure.js"
import { serverKeyIn, writeServerKey } from "../fast-open/key-file.js"
import { ageOf, keepAs, syncFolderOf, timeOf } from "../files.js"
import { dataOption, incarnation } from "../options.js"
import { printableLine } from "../terminal/printable.js"
import { words } from "../words/words.js"

export const restore = command({
  operand: { placeholder: "FILE" },
  options: {
    data: dataOption,
    replace: flag(),
    incarnation: optional({ placeholder: "N", read: incarnation }),
  },
  async run({ data, replace, incarnation }, { terminal, operand: backup }) {
    process.umask(0o077)
    const made = missingFolders(dataFolder(data))
    const folder = openDataFolder(data)
    const file = targetOf(folder)
    const hadLock = existsSync(`${file}-lock`)
    const lock = named(file, () => lockFile(file))
    const scratch = join(dirname(file), "service.db-restoring")
    let isDone = false
    try {
      requireApart(backup, file)
      if (existsSync(file) && !replace) {
        throw new Failure(words().backup.replaceable(file))
      }
      rmSync(scratch, { recursive: true, force: true })
      mkdirSync(scratch, { mode: 0o700 })
      const fresh = join(scratch, "service.db")
      const { at, attached } = checked(backup, () => unpackBackup(backup, fresh))
      const raised = await raise(fresh, { backup, former: formerIncarnation(file, incarnation), to: incarnation })
      const carried = existsSync(file) ? carryActions(file, fresh) : 0
      const suffix = new Date().toISOString().replaceAll(":", "")
      const kept = put(fresh, { file, keys: keyFile(folder), serverKey: attached, suffix })
      const said = words().backup
      const lines = [
        said.restored(file, timeOf(at), ageOf(at), raised),
        ...kept.map((name) => said.kept(name)),
        ...(carried === 0 ? [] : [carried === undefined ? said.unknownActions : said.carried(carried)]),
      ]
      isDone = true
      await terminal.write(`${lines.map(printableLine).join("\n")}\n`)
      return exitCodes.done
    } finally {
      rmSync(scratch, { recursive: true, force: true })
      if (isDone || hadLock) lock.release()
      else lock.remove()
      if (!isDone) removeEmpty(made)
    }
  },
})

/**
 * Suspends and closes in the fresh file what was suspended and closed in the one that it replaces. Returns how many actions
 * that were, `undefined` where that file does not tell.
 */
function carryActions(file: string, fresh: string): number | undefined {
  using former = readable(file)
  if (former === undefined) return undefined
  using restored = new OperatorFile(fresh, { readonly: false })
  return restored.carryOver(former, nodeProvider().hashes["SHA-256"]!.digest)
}

function readable(file: string): OperatorFile | undefined {
  let former: OperatorFile | undefined
  try {
    former = new OperatorFile(file, { readonly: true })
    former.actions()
    return former
  } catch (error) {
    former?.[Symbol.dispose]()
    if ((error as Error).name === "StoreUnavailable") return undefined
    throw error
  }
}

/** A pipe would be waited for, and a backup that is the service's own file would be gone as the service begins. */
function requireApart(backup: string, file: string): void {
  const given = statSync(backup, { throwIfNoEntry: false })
  if (given === undefined) return
  const { notRegular, itself, giveOne } = words().backup
  if (!given.isFile() && !given.isDirectory()) throw new Failure(notRegular(backup, giveOne))
  const present = statSync(file, { throwIfNoEntry: false })
  if (present === undefined || present.dev !== given.dev || present.ino !== given.ino) return
  throw new Failure(itself(file, backup))
}

/** A link stays a link. */
function targetOf(folder: string): string {
  const file = serviceFile(folder)
  return existsSync(file) ? realpathSync(file) : file
}

/** Says which file it is that cannot be used. */
function named<T>(file: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw blaming(file, error)
  }
}

/** Says of the backup what it is instead, or what to do. */
function checked<T>(backup: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    const { name, message } = error as Error
    const { giveOne, copyAgain } = words().backup
    if (name !== "StoreUnavailable") throw whyUnread(error as Error, backup, giveOne) ?? error
    const given = { file: backup, command: "restore", next: giveOne }
    const next = message === NO_BACKUP ? `; ${seeming(headOf(backup), given)}` : isDamage(message) ? copyAgain : ""
    throw new Failure(`${backup}: ${explain(error).reason}${next}`, { cause: error })
  }
}

const NO_BACKUP = "the file is no backup of a service"
const isDamage = (message: string) => /^the backup (is|has) /.test(message)

/** Those on the way to a folder that are not there, the innermost first. */
function missingFolders(folder: string): readonly string[] {
  const missing: string[] = []
  for (let it = folder; !existsSync(it) && dirname(it) !== it; it = dirname(it)) missing.push(it)
  return missing
}

function removeEmpty(folders: readonly string[]): void {
  for (const folder of folders) {
    try {
      rmdirSync(folder)
    } catch {
      // Another process has put something there.
      return
    }
  }
}

function blaming(file: string, error: unknown): unknown {
  const isUnavailable = (error as Error).name === "StoreUnavailable"
  return isUnavailable ? whyUnusable(file, error) : error
}

/** Of the file that is replaced; 0 where there is none. */
function formerIncarnation(file: string, given: bigint | undefined): bigint {
  if (!existsSync(file)) return 0n
  const former = named(file, () => settleFile(file))
  if (former !== undefined || given !== undefined) return former ?? 0n
  throw new Failure(words().backup.noIncarnation(file))
}

interface Raising {
  readonly backup: string
  readonly former: bigint
  readonly to: bigint | undefined
}

/** Brings the tables of the file up to date and raises its incarnation, which is returned. */
async function raise(fresh: string, { backup, former, to }: Raising): Promise<bigint> {
  const crypto = nodeProvider()
  const seen = [1n, former, settleFile(fresh) ?? 0n].reduce((one, other) => (one > other ? one : other))
  if (to !== undefined && to <= seen) throw new Failure(words().backup.tooLow(to, seen))
  const sha256 = crypto.hashes["SHA-256"]!.digest
  // By the time: a backup that is restored twice, in two places, is two of them.
  const seconds = BigInt(Math.floor(Date.now() / 1_000))
  const next = to ?? (seconds > seen ? seconds : seen + 1n)
  const raising = updateUnpacked(fresh, sha256, (store) => raiseIncarnation(store, crypto, { to: next }))
  const { incarnation } = await raising.catch((error) => {
    throw blaming(backup, error)
  })
  return incarnation
}

interface Putting {
  readonly file: string
  readonly keys: string
  readonly serverKey: Uint8Array | undefined
  readonly suffix: string
}

/** What root has restored belongs to whom the folder belongs to: the service runs as that user. */
function giveToOwner(...files: readonly string[]): void {
  const folder = dirname(files[0]!)
  const { uid, gid } = statSync(folder)
  if (process.getuid?.() !== 0 || uid === 0) return
  const names = files.map((file) => basename(file))
  for (const name of readdirSync(folder).filter((it) => names.some((known) => it.startsWith(known)))) {
    const path = join(folder, name)
    if (lstatSync(path).uid === 0) lchownSync(path, uid, gid)
  }
}

/** One rename changes the service. Returns the names that former files have now. */
function put(fresh: string, { file, keys, serverKey, suffix }: Putting): string[] {
  const kept: string[] = []
  const restoredKeys = `${keys}-restoring`
  const formerKey = serverKey && serverKeyOf(keys)
  const isOtherKey = serverKey !== undefined && !(formerKey && equalBytes(formerKey, serverKey))
  try {
    if (isOtherKey) writeServerKey(restoredKeys, { key: serverKey, provider: nodeProvider() })
    if (existsSync(file)) {
      keepAs(file, `${file}.${suffix}`)
      kept.push(`${file}.${suffix}`)
    }
    // Beside a damaged file, or one that was deleted by hand: SQLite would replay it into the new file.
    for (const of of ["-wal", "-shm", "-journal"]) {
      if (existsSync(file + of)) renameSync(file + of, `${file}.${suffix}${of}`)
    }
    renameSync(fresh, file)
    if (isOtherKey && formerKey) {
      writeServerKey(`${keys}.${suffix}`, { key: formerKey, provider: nodeProvider() })
      kept.push(`${keys}.${suffix}`)
    }
    if (isOtherKey) renameSync(restoredKeys, keys)
  } finally {
    rmSync(restoredKeys, { force: true })
  }
  giveToOwner(file, keys)
  syncFolderOf(file)
  return kept
}

/** `undefined` for a damaged file, too. */
function serverKeyOf(keys: string): Uint8Array | undefined {
  try {
    return serverKeyIn(keys, nodeProvider())
  } catch (error) {
    if (error instanceof Failure) return undefined
    throw error
  }
}
