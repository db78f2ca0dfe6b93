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
    if (!existsSync(file)) throw new Failure(`there is no service in ${folder}: ${file} does not exist`)
    const to = resolve(operand)
    checkTarget(to, { folder, force })
    const serverKey = serverKeyIn(keyFile(folder), nodeProvider())
    const at = Date.now()
    write({ file, to, at, force, serverKey })
    serverKey?.fill(0)
    const keys = serverKey === undefined ? "and secret for passes" : "secret for passes and server key"
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
    await terminal.write(
      `${printableLine(to)} holds the service as it was at ${timeOf(at)}, with its signing key, ${keys}: keep it secret.\n`,
    )
    const blobs = blobsFile(file)
    if (existsSync(blobs)) terminal.tell(`blobs are not in it: they are in ${printableLine(blobs)}`)
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
  const into = dirname(to)
  const found = statSync(into, { throwIfNoEntry: false })
  if (found === undefined) throw new Failure(`${into}: there is no such folder; make it first, or give another`)
  if (!found.isDirectory()) throw new Failure(`${into} is not a folder; give a file in a folder`)
  if (!existsSync(to)) return
  if (statSync(to).isDirectory()) throw new Failure(`${to} is a folder; give a file in it: ${join(to, "backup")}`)
  if (!force) throw new Failure(`${to} exists already; --force replaces it`)
  const { dev, ino } = statSync(to)
  for (const own of [serviceFile(folder), blobsFile(serviceFile(folder)), keyFile(folder)]) {
    if (!existsSync(own)) continue
    const it = statSync(own)
    if (it.dev === dev && it.ino === ino) throw new Failure(`${to} is the service's own file: give another`)
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
    if (code === "EEXIST") throw new Failure(`${to} exists already; --force replaces it`, { cause: error })
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
