import { run } from "./run.js"
import { systemTerminal } from "./terminal/terminal.js"

const terminal = systemTerminal()
process.exitCode = await run(process.argv.slice(2), terminal)
// A pipe or a terminal that nobody closes would keep the process alive although there is nothing left to do.
terminal.input.destroy()
