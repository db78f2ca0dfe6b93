import { command, required } from "../../arguments.js"
import { exitCodes, Failure } from "../../failure.js"
import { printableLine } from "../../terminal/printable.js"
import { words } from "../../words/words.js"
import { adminOptions, does, named, reason, withOperator } from "../admin/operator.js"

export const eraseAccount = command({
  operand: { placeholder: "NAME" },
  options: {
    reason: required({ placeholder: "TEXT", read: reason }),
    ...adminOptions,
  },
  async run(given, { terminal, operand }) {
    const who = named(operand)
    const isDone = await withOperator(given, { readonly: false }, (operator) =>
      operator.erase(who, does(given, terminal.environment)),
    )
    if (!isDone) throw new Failure(words().admin.nobody(who))
    await terminal.write(`${words().admin.erased(who, printableLine(given.reason))}\n`)
    return exitCodes.done
  },
})
