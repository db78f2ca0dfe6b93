import { command, required } from "../../arguments.js"
import { exitCodes, Failure } from "../../failure.js"
import { printableLine } from "../../terminal/printable.js"
import { adminOptions, does, named, reason, withOperator } from "../admin/operator.js"

export const eraseAccount = command({
  summary: "erase a name for good: nobody can have it again",
  description: [
    "Its devices, key packages, inboxes and display name are deleted in one transaction, and the name and its devices are " +
      "never registered again: a hash of each is kept. There is no way back.",
    "The service cannot take the person out of conversations: members do that. Nor can it find what the person has said.",
  ],
  operand: { placeholder: "NAME", help: "the name" },
  options: {
    reason: required({ placeholder: "TEXT", help: "why: kept in the log, without the name", read: reason }),
    ...adminOptions,
  },
  async run(given, { terminal, operand }) {
    const who = named(operand)
    const isDone = await withOperator(given, { readonly: false }, (operator) =>
      operator.erase(who, does(given, terminal.environment)),
    )
    if (!isDone) throw new Failure(`nobody has the name ${who}`)
    await terminal.write(`${who} is erased: ${printableLine(given.reason)}\n`)
    return exitCodes.done
  },
})
