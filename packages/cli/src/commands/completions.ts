import { command } from "../arguments.js"
import { commandNames, loadCommand } from "../commands.js"
import { completionScript, type Shell, shells } from "../completions.js"
import { exitCodes, UsageError } from "../failure.js"
import { helpWords, words } from "../words/words.js"

export const completions = command({
  operand: { placeholder: shells.join("|") },
  options: {},
  async run(_, { terminal, operand }) {
    if (!(shells as readonly string[]).includes(operand)) {
      throw new UsageError(words().commandLine.completionsFor(shells.join(", "), operand.replace(/\p{C}/gu, "?")))
    }
    // A script is made once, and read by shells in every language: it is in English.
    const help = await helpWords("en")
    const commands = await Promise.all(
      commandNames.map(async (name) => ({ name, command: await loadCommand(name), help })),
    )
    await terminal.write(`${completionScript(operand as Shell, commands)}\n`)
    return exitCodes.done
  },
})
