/** A process that tries the seeds it is given; see `jobs.ts`. */
import { attempt, type Trial } from "./jobs.js"

process.on("message", async (trial: Trial) => {
  process.send!(await attempt(trial))
})
