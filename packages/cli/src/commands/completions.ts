import { command } from "../arguments.js"
import { commandNames, loadCommand } from "../commands.js"
import { completionScript, type Shell, shells } from "../completions.js"
import { exitCodes, UsageError } from "../failure.js"

export const completions = command({
  summary: "print a script that completes words in a shell",
  description: [
    "bash, in ~/.bashrc: source <(conclave completions bash)",
    "zsh, in ~/.zshrc after compinit: source <(conclave completions zsh)",
    "fish: conclave completions fish > ~/.config/fish/completions/conclave.fish",
  ],
  operand: { placeholder: shells.join("|"), help: "the shell" },
  options: {},
  async run(_, { terminal, operand }) {
    if (!(shells as readonly string[]).includes(operand)) {
      throw new UsageError(`completions are for ${shells.join(", ")}, not for "${operand.replace(/\p{C}/gu, "?")}"`)
    }
    const commands = await Promise.all(commandNames.map(async (name) => ({ name, command: await loadCommand(name) })))
    await terminal.write(`${completionScript(operand as Shell, commands)}\n`)
    return exitCodes.done
  },
})
