import { nodeProvider } from "@conclave/crypto/node"
import { command, required } from "../../arguments.js"
import { exitCodes, Failure, UsageError } from "../../failure.js"
import { printableLine } from "../../terminal/printable.js"
import { adminOptions, does, named, reason, withOperator } from "./operator.js"

const acting = {
  reason: required({ placeholder: "TEXT", help: "why: kept in the log of what was done", read: reason }),
  ...adminOptions,
}

export const suspend = command({
  summary: "stop serving a name",
  description: [
    "The directory answers for the name as for one that nobody has, its key packages are not handed out, no Welcome is " +
      "put into its inboxes, and what its devices sign is refused: its person is shown the reason. The name stays taken.",
    "The service cannot take anybody out of a conversation: what is asked of a group names no account. A member who is " +
      "suspended reads and writes there until another member removes that person.",
  ],
  operand: { placeholder: "NAME", help: "the name to suspend" },
  options: acting,
  async run(given, { terminal, operand }) {
    const who = named(operand)
    const isDone = await withOperator(given, { readonly: false }, (operator) =>
      operator.suspend(who, does(given, terminal.environment)),
    )
    if (!isDone) throw new Failure(`nobody has the name ${who}`)
    await terminal.write(`${who} is suspended: ${printableLine(given.reason)}\n`)
    return exitCodes.done
  },
})

export const resume = command({
  summary: "let a suspended name be used again",
  description: ["It is as it was before. Welcomes that waited when it was suspended, and are kept still, arrive."],
  operand: { placeholder: "NAME", help: "the name" },
  options: acting,
  async run(given, { terminal, operand }) {
    const who = named(operand)
    const isDone = await withOperator(given, { readonly: false }, (operator) =>
      operator.resume(who, does(given, terminal.environment)),
    )
    if (!isDone) throw new Failure(`the name ${who} is not suspended`)
    await terminal.write(`${who} may be used again\n`)
    return exitCodes.done
  },
})

export const closeGroup = command({
  summary: "delete all there is of a group for good",
  description: [
    "Its id is never used again. Members keep their histories, are told that the service does not have the conversation, " +
      "and can go on in a new group. Backups from before have it still.",
  ],
  operand: { placeholder: "ID", help: "the id, as conclave admin groups shows it" },
  options: acting,
  async run(given, { terminal, operand }) {
    if (!/^([0-9a-f]{2}){1,64}$/i.test(operand)) {
      throw new UsageError("ID must be the id of a group in hexadecimal digits, as conclave admin groups shows it")
    }
    const id = Uint8Array.from(Buffer.from(operand, "hex"))
    const sha256 = nodeProvider().hashes["SHA-256"]!.digest
    const isDone = await withOperator(given, { readonly: false }, (operator) =>
      operator.closeGroup(id, { ...does(given, terminal.environment), sha256 }),
    )
    if (!isDone) throw new Failure("there is no group with this id")
    await terminal.write(`${operand.toLowerCase()} is closed: ${printableLine(given.reason)}\n`)
    return exitCodes.done
  },
})
