import { explain } from "./failure.js"
import { endWithShell } from "./orphan.js"
import { run } from "./run.js"
import { systemTerminal } from "./terminal/terminal.js"
import { words } from "./words/words.js"

const terminal = systemTerminal()
process.on("uncaughtException", (error) => {
  terminal.tell(`conclave: ${explain(error).reason}${words().commandLine.debug}`)
  if (terminal.environment.CONCLAVE_DEBUG) terminal.tell(error.stack ?? "")
  process.exit(1)
})
endWithShell(process.env)
process.exitCode = await run(process.argv.slice(2), terminal)
// A pipe or a terminal that nobody closes would keep the process alive although there is nothing left to do.
terminal.input.destroy()
