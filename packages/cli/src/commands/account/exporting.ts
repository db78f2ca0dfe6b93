import { accountDocument } from "@conclave/auth/store"
import { command } from "../../arguments.js"
import { exitCodes, Failure } from "../../failure.js"
import { words } from "../../words/words.js"
import { adminOptions, named, withOperator } from "../admin/operator.js"

export const exportAccount = command({
  operand: { placeholder: "NAME" },
  options: adminOptions,
  async run(place, { terminal, operand }) {
    const who = named(operand)
    const found = await withOperator(place, { readonly: true }, (operator) => operator.account(who))
    if (found === undefined) throw new Failure(words().admin.nobody(who))
    await terminal.write(`${accountDocument(found)}\n`)
    return exitCodes.done
  },
})
