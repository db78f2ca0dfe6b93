import { existsSync, renameSync, rmSync, statSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { nodeProvider } from "@conclave/crypto/node"
import { writeBackup } from "@conclave/sqlite"
import { command, flag } from "../arguments.js"
import { whyUnusable } from "../causes/service-file.js"
import { dataFolder, keyFile, serviceFile } from "../data-folder.js"
import { exitCodes, Failure } from "../failure.js"
import { serverKeyIn } from "../fast-open/key-file.js"
import { keepAs, syncFolderOf, timeOf } from "../files.js"
import { dataOption } from "../options.js"
import { jsonOf } from "../terminal/json.js"
import { printableLine } from "../terminal/printable.js"
import { words } from "../words/words.js"

export const backup = command({
  operand: { placeholder: "FILE" },
  options: {
    data: dataOption,
    force: flag(),
    json: flag(),
  },
  async run({ data, force, json }, { terminal, operand }) {
    const folder = dataFolder(data)
    const file = serviceFile(folder)
    if (!existsSync(file)) throw new Failure(words().files.noService(folder, file))
    const to = resolve(operand)
    checkTarget(to, { folder, force })
    const serverKey = serverKeyIn(keyFile(folder), nodeProvider())
    const at = Date.now()
    write({ file, to, at, force, serverKey })
    serverKey?.fill(0)
    if (json) {
      const told = {
        file: to,
        at: new Date(at).toISOString(),
        size: statSync(to).size,
        serverKey: serverKey !== undefined,
      }
      await terminal.write(`${jsonOf(told)}\n`)
      return exitCodes.done
    }
    const said = words().backup
    await terminal.write(`${said.holds(printableLine(to), timeOf(at), serverKey !== undefined)}\n`)
    const blobs = blobsFile(file)
    if (existsSync(blobs)) terminal.tell(said.blobs(printableLine(blobs)))
    return exitCodes.done
  },
})

/** Of a service whose file this is, if it has any. */
const blobsFile = (file: string) => `${file}.blobs`

interface Target {
  readonly folder: string
  readonly force: boolean
}

function checkTarget(to: string, { folder, force }: Target): void {
  const said = words().backup
  const into = dirname(to)
  const found = statSync(into, { throwIfNoEntry: false })
  if (found === undefined) throw new Failure(said.noFolder(into))
  if (!found.isDirectory()) throw new Failure(said.notAFolder(into))
  if (!existsSync(to)) return
  if (statSync(to).isDirectory()) throw new Failure(said.isAFolder(to, join(to, "backup")))
  if (!force) throw new Failure(words().files.exists(to))
  const { dev, ino } = statSync(to)
  for (const own of [serviceFile(folder), blobsFile(serviceFile(folder)), keyFile(folder)]) {
    if (!existsSync(own)) continue
    const it = statSync(own)
    if (it.dev === dev && it.ino === ino) throw new Failure(said.ownFile(to))
  }
}

interface Writing {
  readonly file: string
  readonly to: string
  readonly at: number
  readonly force: boolean
  readonly serverKey: Uint8Array | undefined
}

/** Under another name until it is whole. */
function write({ file, to, at, force, serverKey }: Writing): void {
  const temporary = `${to}.${process.pid}.new`
  try {
    writeBackup({ file, to: temporary, at, attached: serverKey })
    if (force) renameSync(temporary, to)
    else keepAs(temporary, to)
  } catch (error) {
    const { code, name } = error as NodeJS.ErrnoException
    if (code === "EEXIST") throw new Failure(words().files.exists(to), { cause: error })
    if (name === "StoreUnavailable") throw whyUnusable(file, error)
    const { path } = error as NodeJS.ErrnoException
    if (path === temporary) throw Object.assign(error as NodeJS.ErrnoException, { path: to })
    throw error
  } finally {
    rmSync(temporary, { force: true })
    rmSync(`${temporary}-journal`, { force: true })
  }
  syncFolderOf(to)
}
