import { createHash } from "node:crypto"
import { mkdirSync } from "node:fs"
import { homedir } from "node:os"
import { dirname, isAbsolute, join, resolve } from "node:path"
import { Failure } from "./failure.js"
import { getSystemErrorMessage } from "./system-errors.js"
import { words } from "./words/words.js"

interface System {
  readonly platform: NodeJS.Platform
  readonly environment: NodeJS.ProcessEnv
  readonly home: string
}

const thisSystem = (): System => ({ platform: process.platform, environment: process.env, home: homedir() })

/**
 * Where an application keeps its own files: https://specifications.freedesktop.org/basedir-spec, and what macOS and
 * Windows have in its place.
 */
export function defaultDataFolder({ platform, environment, home }: System = thisSystem()): string {
  if (platform === "darwin") return join(home, "Library", "Application Support", "conclave")
  if (platform === "win32") return join(environment.LOCALAPPDATA || join(home, "AppData", "Local"), "conclave")
  const base = environment.XDG_DATA_HOME
  // "All paths set in these environment variables must be absolute. If … relative … consider the path invalid".
  return join(base && isAbsolute(base) ? base : join(home, ".local", "share"), "conclave")
}

/** The folder, made if it is not there, for its owner alone. Throws {@link Failure}. */
export function openDataFolder(given: string | undefined): string {
  const folder = dataFolder(given)
  makeFolder(folder)
  return folder
}

/** Where the folder is; it is not made. */
export function dataFolder(given: string | undefined): string {
  return given === undefined ? defaultDataFolder() : resolve(given)
}

export function serviceFile(folder: string): string {
  return join(folder, "service.db")
}

/** Where the service keeps its keys for sealed requests. */
export function keyFile(folder: string): string {
  return join(folder, "fast-open.keys")
}

interface ProfileOwner {
  readonly name: string
  readonly server: URL
}

/** The profile of a name at a service; the folder of the service is made. */
export function profileFile(folder: string, owner: ProfileOwner): string {
  const file = profilePlace(folder, owner)
  makeFolder(dirname(file))
  return file
}

/** Where that profile is, if there is one; nothing is made. */
export function profilePlace(folder: string, { name, server }: ProfileOwner): string {
  return join(folder, "profiles", folderOf(server), `${fileNameOf(name)}.db`)
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  } catch (error) {
    const isFile = (error as NodeJS.ErrnoException).code === "EEXIST"
    const { dataFolder, notAFolder } = words().causes
    const reason = isFile ? notAFolder(folder) : (getSystemErrorMessage(error as Error) ?? folder)
    throw new Failure(dataFolder(reason), { cause: error })
  }
}

const loopback = new Set(["localhost", "127.0.0.1", "[::1]"])

/** One folder for a service, however this machine is called: of several at one host, one for each path. */
function folderOf(server: URL): string {
  const host = loopback.has(server.hostname) ? "localhost" : server.hostname
  const port = server.port || (server.protocol === "https:" ? "443" : "80")
  const path = server.pathname.split("/").filter((segment) => segment !== "")
  return [`${host.replace(/[^a-z0-9.-]/g, "_")}_${port}`, ...path].join("+")
}

/** Names that a file may have on every system stay as they are; of others, up to 256 bytes long, the file has a hash. */
function fileNameOf(name: string): string {
  const isPlain = /^[a-z0-9][a-z0-9._-]*$/.test(name) && !/^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/.test(name)
  return isPlain ? name : `~${createHash("sha256").update(name).digest("hex").slice(0, 32)}`
}
