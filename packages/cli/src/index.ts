/** The command `conclave` as a function, and the service that it runs, for programs that start one themselves. */
export { run } from "./run.js"
export { type RunningService, type ServiceOptions, startService } from "./service.js"
export { systemTerminal, type Terminal } from "./terminal/terminal.js"
