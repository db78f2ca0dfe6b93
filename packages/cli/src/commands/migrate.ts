import { existsSync, realpathSync, statSync } from "node:fs"
import { resolve } from "node:path"
import { nodeProvider } from "@conclave/crypto/node"
import type { Intake } from "@conclave/postgres"
import { type MovingFile, openMovingFile } from "@conclave/sqlite"
import { command, required } from "../arguments.js"
import { serviceFile } from "../data-folder.js"
import { databaseName } from "../database.js"
import { exitCodes, Failure } from "../failure.js"
import { timeOf } from "../files.js"
import { compare, countsOf, type MovedCounts, moveAll } from "../moving.js"
import { nonEmpty, postgresUrl } from "../options.js"
import { showProgress } from "../terminal/progress.js"
import type { Terminal } from "../terminal/terminal.js"
import { english, words } from "../words/words.js"
import { naming, requireOwner } from "./admin/operator.js"

export const migrate = command({
  options: {
    from: required({ placeholder: "FILE", read: nonEmpty("file") }),
    to: required({
      placeholder: "URL",
      read: postgresUrl,
      variable: "DATABASE_URL",
    }),
  },
  async run({ from, to: url }, { terminal }) {
    process.umask(0o077)
    const file = fileOf(from)
    const place = databaseName(url)
    const sha256 = nodeProvider().hashes["SHA-256"]!.digest
    using source = await naming(file, () => openMovingFile(realpathSync(file), sha256))
    const { openIntake } = await import("@conclave/postgres")
    const { service, moved } = source
    await using intake = await naming(place, () => openIntake({ url, service, sha256, isMoved: moved !== undefined }))
    if (intake.state === "ready") {
      await terminal.write(`${words().migrate.moved(file, moved!.place, timeOf(moved!.at))}\n`)
      return exitCodes.done
    }
    if (intake.state === "again") terminal.tell(words().migrate.again)
    const begin = performance.now()
    const counts = await naming(place, () => bring({ source, intake, terminal }))
    const seconds = (performance.now() - begin) / 1_000
    // What is kept is in the language of no reader.
    await naming(file, () => source.mark({ at: Date.now(), place: databaseName(url, english) }))
    await naming(place, () => intake.finish())
    const said = words().migrate
    const time = words().units.number(seconds, 1)
    await terminal.write(`${said.done(file, place, time, said.counts(counts))}\n${said.afterwards}\n`)
    return exitCodes.done
  },
})

function fileOf(from: string): string {
  const path = resolve(from)
  if (!existsSync(path)) throw new Failure(words().migrate.missing(path))
  const file = statSync(path).isDirectory() ? serviceFile(path) : path
  if (!existsSync(file)) throw new Failure(words().files.noService(path, file))
  requireOwner(file)
  return file
}

interface Bringing {
  readonly source: MovingFile
  readonly intake: Intake
  readonly terminal: Terminal
}

/** Moves and compares. */
async function bring({ source, intake, terminal }: Bringing): Promise<MovedCounts> {
  const said = words().migrate
  const { entry: all } = await countsOf(source)
  using progress = showProgress(terminal, said.moving)
  await moveAll(source, intake, (entries) => progress.update(said.movedSoFar(entries, all)))
  progress.update(said.comparing)
  await intake.settle()
  return compare(source, intake)
}
