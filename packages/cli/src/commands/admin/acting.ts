import { nodeProvider } from "@conclave/crypto/node"
import { command, required } from "../../arguments.js"
import { exitCodes, Failure, UsageError } from "../../failure.js"
import { printableLine } from "../../terminal/printable.js"
import { words } from "../../words/words.js"
import { adminOptions, does, named, reason, withOperator } from "./operator.js"

const acting = {
  reason: required({ placeholder: "TEXT", read: reason }),
  ...adminOptions,
}

export const suspend = command({
  operand: { placeholder: "NAME" },
  options: acting,
  async run(given, { terminal, operand }) {
    const who = named(operand)
    const isDone = await withOperator(given, { readonly: false }, (operator) =>
      operator.suspend(who, does(given, terminal.environment)),
    )
    if (!isDone) throw new Failure(words().admin.nobody(who))
    await terminal.write(`${words().admin.suspended(who, printableLine(given.reason))}\n`)
    return exitCodes.done
  },
})

export const resume = command({
  operand: { placeholder: "NAME" },
  options: acting,
  async run(given, { terminal, operand }) {
    const who = named(operand)
    const isDone = await withOperator(given, { readonly: false }, (operator) =>
      operator.resume(who, does(given, terminal.environment)),
    )
    if (!isDone) throw new Failure(words().admin.notSuspended(who))
    await terminal.write(`${words().admin.resumed(who)}\n`)
    return exitCodes.done
  },
})

export const closeGroup = command({
  operand: { placeholder: "ID" },
  options: acting,
  async run(given, { terminal, operand }) {
    if (!/^([0-9a-f]{2}){1,64}$/i.test(operand)) throw new UsageError(words().admin.notAnId)
    const id = Uint8Array.from(Buffer.from(operand, "hex"))
    const sha256 = nodeProvider().hashes["SHA-256"]!.digest
    const isDone = await withOperator(given, { readonly: false }, (operator) =>
      operator.closeGroup(id, { ...does(given, terminal.environment), sha256 }),
    )
    if (!isDone) throw new Failure(words().admin.noGroup)
    await terminal.write(`${words().admin.closed(operand.toLowerCase(), printableLine(given.reason))}\n`)
    return exitCodes.done
  },
})
