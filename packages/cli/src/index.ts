/** The service that `conclave serve` runs, for programs that start one themselves. */
export { type RunningService, type ServiceOptions, startService } from "./service.js"
