import { createReadStream } from "node:fs"
import type { Readable } from "node:stream"
import { groupRecordTypes, inspectableTypes } from "@conclave/mls/inspect"
import { command, flag, optional, shownAs } from "../arguments.js"
import { isKnownKind, seeming, whyUnread } from "../causes/file.js"
import { nearest } from "../closest.js"
import { exitCodes, Failure, UsageError } from "../failure.js"
import { inspectProfile } from "../inspect/profile-records.js"
import { readingsOf } from "../inspect/readings.js"
import { NothingRecognised, type Recognised, recognise } from "../inspect/recognise.js"
import { show } from "../inspect/show.js"
import { recordTypes, types } from "../inspect/types.js"
import { nonEmpty } from "../options.js"
import { printableLine } from "../terminal/printable.js"
import { wrap } from "../terminal/table.js"
import { words } from "../words/words.js"

/** An input of a group with a hundred thousand members is smaller. */
const INPUT_SIZE_MAX = 64 * 1024 * 1024

export const inspect = command({
  operand: {
    placeholder: "FILE",
    mayBeAbsent: true,
  },
  options: {
    profile: optional({
      placeholder: "PATH",
      read: nonEmpty("fileOrFolder"),
    }),
    as: optional({ placeholder: "TYPE", read: nonEmpty("type") }),
    full: flag(),
    json: flag(),
  },
  async run({ profile, as, full, json }, { terminal, operand: file }) {
    if (json && (profile === undefined || file !== "")) {
      throw new UsageError(words().looking.jsonWithoutProfile)
    }
    if (profile !== undefined) {
      if (as !== undefined) throw new UsageError(words().looking.asWithProfile)
      await inspectProfile(profile, file, { terminal, full, json })
      return exitCodes.done
    }
    if (as === "help") {
      await terminal.write(`${typeList().join("\n")}\n`)
      return exitCodes.done
    }
    if (as !== undefined && !Object.hasOwn(types, as)) {
      for (const line of typeList()) terminal.tell(line)
      const like = nearest(as, Object.keys(types))
      throw new UsageError(
        `${words().looking.noType(printableLine(as))}${like === undefined ? "" : words().commandLine.meant(like)}`,
      )
    }
    if (file === "") throw new UsageError(words().commandLine.operandMissing(shownAs("FILE")))
    const name = file === "-" ? words().looking.standardInput : file
    const input = await readAll(file === "-" ? terminal.input : createReadStream(file), name).catch((error: Error) => {
      throw whyUnread(error, file, words().looking.giveAFile(printableLine(file))) ?? error
    })
    await show(recogniseInput(input, { as, name }), { terminal, full, name })
    return exitCodes.done
  },
})

function recogniseInput(input: Uint8Array, { as, name }: { as: string | undefined; name: string }): Recognised {
  const file = printableLine(name)
  const seems = () =>
    `${file}: ${seeming(input, { file: name, command: "inspect", next: words().looking.giveAnInput })}`
  if (input.length === 0) throw new Failure(seems())
  try {
    return recognise(readingsOf(input), as)
  } catch (error) {
    if (error instanceof NothingRecognised && isKnownKind(input, name)) throw new Failure(seems(), { cause: error })
    throw error instanceof Failure ? new Failure(`${file}: ${error.message}`, { cause: error }) : error
  }
}

function typeList(): string[] {
  const stored = Object.keys({ ...recordTypes, ...groupRecordTypes }).filter(
    (name) => !Object.hasOwn(inspectableTypes, name),
  )
  const names = Object.keys(types).filter((name) => !stored.includes(name))
  return [...wrap(words().looking.ofRfc(names.join(", "))), "", ...wrap(words().looking.ofProfiles(stored.join(", ")))]
}

/** @throws {Failure} when there is more than INPUT_SIZE_MAX */
async function readAll(stream: Readable, name: string): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of stream) {
    size += chunk.length
    if (size > INPUT_SIZE_MAX) throw new Failure(words().looking.tooLarge(name, INPUT_SIZE_MAX / 1024 / 1024))
    chunks.push(Buffer.from(chunk))
  }
  return Buffer.concat(chunks)
}
