import { closeSync, openSync, readSync } from "node:fs"
import { verifyEvidence as verify } from "@conclave/client/node"
import { nodeProvider } from "@conclave/crypto/node"
import { command } from "../arguments.js"
import { isKnownKind, seeming, whyUnread } from "../causes/file.js"
import { exitCodes, Failure } from "../failure.js"
import { printableLine } from "../terminal/printable.js"
import { words } from "../words/words.js"

export const verifyEvidence = command({
  operand: { placeholder: "FILE" },
  options: {},
  async run(_, { terminal, operand: file }) {
    const { serviceKey, groupId, seq, incarnation } = check(file)
    const { looking: said, units } = words()
    const restored = incarnation === 1n ? said.neverRestored : said.restoredOn(units.day(Number(incarnation) * 1000))
    const lines = [
      said.evidence,
      said.evidenceKey(hex(serviceKey)),
      said.evidenceConversation(hex(groupId)),
      said.evidenceEntry(seq, restored),
    ]
    await terminal.write(`${lines.join("\n")}\n`)
    return exitCodes.done
  },
})

/** Longer than whatever a client makes. */
const SIZE_MAX = 1 << 20

function check(file: string) {
  const bytes = read(file)
  try {
    if (bytes.length > SIZE_MAX) throw new TypeError("this is no evidence")
    return verify(bytes, nodeProvider())
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    const [what = ""] = error.message.split(/(?<=^this is no evidence): /)
    const isOther = what === "this is no evidence"
    const said = words().looking
    const cut = bytes.length === 0 || isKnownKind(bytes, file) ? "" : said.orCut
    const given = { file, command: "verify-evidence", next: said.giveEvidence }
    const seems = isOther ? `${cut}; ${seeming(bytes, given)}` : ""
    throw new Failure(said.provesNothing(printableLine(file), `${said.evidenceFault(what)}${seems}`), { cause: error })
  }
}

function read(file: string): Uint8Array {
  try {
    const descriptor = openSync(file, "r")
    try {
      return readStart(descriptor)
    } finally {
      closeSync(descriptor)
    }
  } catch (error) {
    throw whyUnread(error as Error, file, words().looking.giveEvidence) ?? error
  }
}

/** One byte more than evidence has, at most: a device never ends. */
function readStart(descriptor: number): Uint8Array {
  const bytes = new Uint8Array(SIZE_MAX + 1)
  let size = 0
  for (let more = -1; more !== 0 && size < bytes.length; size += more) {
    more = readSync(descriptor, bytes, size, bytes.length - size, null)
  }
  return bytes.subarray(0, size)
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")
