import { existsSync, realpathSync, statSync } from "node:fs"
import { userInfo } from "node:os"
import type { Account } from "@conclave/auth/store"
import type { Sha256 } from "@conclave/contracts/log-chain"
import type { Action, GroupStatus, NameStatus, NewAction, ServiceStatus } from "@conclave/delivery/store"
import { type Holder, lockHolder, type Moved, OperatorFile } from "@conclave/sqlite"
import { whyUnusable } from "../../causes/service-file.js"
import { dataFolder, serviceFile } from "../../data-folder.js"
import { databaseName, databaseOption } from "../../database.js"
import { explain, Failure, UsageError } from "../../failure.js"
import { dataOption, name } from "../../options.js"
import { words } from "../../words/words.js"

export const adminOptions = { data: dataOption, database: databaseOption }

const REASON_LENGTH_MAX = 200

/** One line that can be shown. */
export function reason(text: string): string {
  const trimmed = text.trim()
  if (trimmed === "" || trimmed.length > REASON_LENGTH_MAX || /\p{C}/u.test(trimmed)) {
    throw new UsageError(words().values.reason(REASON_LENGTH_MAX))
  }
  return trimmed
}

/** The operand NAME. */
export function named(text: string): string {
  try {
    return name(text)
  } catch (error) {
    throw error instanceof UsageError ? new UsageError(words().admin.operand(error.message)) : error
  }
}

type Awaitable<T> = T | Promise<T>

/** A service's file or database, for its operator. */
export interface Operator {
  status(): Awaitable<ServiceStatus>
  groups(): Awaitable<readonly GroupStatus[]>
  names(like?: string): Awaitable<readonly NameStatus[]>
  actions(): Awaitable<readonly Action[]>
  suspend(name: string, action: NewAction): Awaitable<boolean>
  resume(name: string, action: NewAction): Awaitable<boolean>
  account(name: string): Awaitable<Account | undefined>
  erase(name: string, action: NewAction): Awaitable<boolean>
  closeGroup(id: Uint8Array, action: NewAction & { readonly sha256: Sha256 }): Awaitable<boolean>
}

/** Who serves it at this moment. */
export type Serving =
  | { readonly type: "file"; readonly holder: Holder | undefined; readonly moved: Moved | undefined }
  | { readonly type: "database"; readonly connections: number }

export interface OperatedPlace {
  readonly data: string | undefined
  readonly database: string | undefined
}

interface Opening {
  /** Nothing is changed. */
  readonly readonly: boolean
}

type Work<T> = (operator: Operator, serving: () => Awaitable<Serving>) => Awaitable<T>

/** The service of a place, for `work`. Rejects with {@link Failure} with one sentence for whatever is in the way. */
export async function withOperator<T>({ data, database }: OperatedPlace, opening: Opening, work: Work<T>): Promise<T> {
  return database === undefined ? withFile(data, opening, work) : withDatabase(database, work)
}

async function withFile<T>(data: string | undefined, { readonly }: Opening, work: Work<T>): Promise<T> {
  const folder = dataFolder(data)
  const path = serviceFile(folder)
  if (!existsSync(path)) throw new Failure(words().files.noService(folder, path))
  requireOwner(path)
  const before = statSync(path)
  return explained(whyUnusable, path, async () => {
    using file = new OperatorFile(realpathSync(path), { readonly })
    const value = await work(file, () => ({ type: "file", holder: lockHolder(path), moved: file.moved() }))
    const after = statSync(path)
    if (!readonly && (after.ino !== before.ino || after.dev !== before.dev)) {
      throw new Failure(words().admin.replaced(path))
    }
    return value
  })
}

/** Files that another user's process makes beside a service's file would be in the service's way. */
export function requireOwner(path: string): void {
  if (process.getuid === undefined || statSync(path).uid === process.getuid()) return
  throw new Failure(words().admin.notOwner(path))
}

async function withDatabase<T>(url: string, work: Work<T>): Promise<T> {
  const { OperatorDatabase } = await import("@conclave/postgres")
  return naming(databaseName(url), async () => {
    await using database = await OperatorDatabase.open({ url })
    return await work(database, async () => ({ type: "database", connections: await database.gatewayConnections() }))
  })
}

/** Says which place it is that cannot be used. */
export const naming = <T>(place: string, work: () => Awaitable<T>): Promise<T> =>
  explained((name, error) => new Failure(`${name}: ${explain(error).reason}`, { cause: error }), place, work)

async function explained<T>(
  why: (place: string, error: unknown) => Failure,
  place: string,
  work: () => Awaitable<T>,
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw (error as Error).name === "StoreUnavailable" ? why(place, error) : error
  }
}

/** What is kept of who does it, and why. */
export const does = ({ reason }: { readonly reason: string }, environment: NodeJS.ProcessEnv): NewAction => {
  return { at: Date.now(), user: userOfSystem(environment), reason }
}

/** The user of the system who does it, and whose name that user has taken on. */
function userOfSystem(environment: NodeJS.ProcessEnv): Action["user"] {
  const { username } = userInfo()
  const by = environment.SUDO_USER?.replace(/\p{C}/gu, "?").slice(0, 100)
  return by === undefined || by === "" ? username : `${by} as ${username}`
}
