import { command, required } from "../../arguments.js"
import { exitCodes, Failure } from "../../failure.js"
import { printableLine } from "../../terminal/printable.js"
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
    if (!isDone) throw new Failure(`nobody has the name ${who}`)
    await terminal.write(`${who} is erased: ${printableLine(given.reason)}\n`)
    return exitCodes.done
  },
})
