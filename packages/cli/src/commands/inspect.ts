import { createReadStream } from "node:fs"
import type { Readable } from "node:stream"
import { groupRecordTypes, inspectableTypes } from "@conclave/mls/inspect"
import { command, flag, optional } from "../arguments.js"
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
      throw new UsageError("--json goes with --profile alone: what is printed otherwise is in the syntax of RFC 9420")
    }
    if (profile !== undefined) {
      if (as !== undefined) throw new UsageError("--as does not go with --profile: the key of a record says its type")
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
        `there is no type ${printableLine(as)}${like === undefined ? "" : `; did you mean ${like}?`}`,
      )
    }
    if (file === "") throw new UsageError("FILE is missing")
    const name = file === "-" ? "standard input" : file
    const input = await readAll(file === "-" ? terminal.input : createReadStream(file), name).catch((error: Error) => {
      throw whyUnread(error, file, `give a file, or --profile ${printableLine(file)} if profiles are in it`) ?? error
    })
    await show(recogniseInput(input, { as, name }), { terminal, full, name })
    return exitCodes.done
  },
})

function recogniseInput(input: Uint8Array, { as, name }: { as: string | undefined; name: string }): Recognised {
  const file = printableLine(name)
  const seems = () => `${file}: ${seeming(input, { file: name, command: "inspect", next: GIVE_AN_INPUT })}`
  if (input.length === 0) throw new Failure(seems())
  try {
    return recognise(readingsOf(input), as)
  } catch (error) {
    if (error instanceof NothingRecognised && isKnownKind(input, name)) throw new Failure(seems(), { cause: error })
    throw error instanceof Failure ? new Failure(`${file}: ${error.message}`, { cause: error }) : error
  }
}

const GIVE_AN_INPUT = "give an MLS message, a tree or a record, as bytes, hexadecimal digits or base64"

function typeList(): string[] {
  const stored = Object.keys({ ...recordTypes, ...groupRecordTypes }).filter(
    (name) => !Object.hasOwn(inspectableTypes, name),
  )
  const names = Object.keys(types).filter((name) => !stored.includes(name))
  return [...wrap(`RFC 9420: ${names.join(", ")}`), "", ...wrap(`Records of a profile: ${stored.join(", ")}`)]
}

/** @throws {Failure} when there is more than INPUT_SIZE_MAX */
async function readAll(stream: Readable, name: string): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of stream) {
    size += chunk.length
    if (size > INPUT_SIZE_MAX) throw new Failure(`${name}: more than ${INPUT_SIZE_MAX / 1024 / 1024} MiB are not read`)
    chunks.push(Buffer.from(chunk))
  }
  return Buffer.concat(chunks)
}
