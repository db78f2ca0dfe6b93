/** `replay-one.js FILE`: replays a trace in this process; it ends with 0 where everything is as the model says. */
import { readFileSync } from "node:fs"
import { replay } from "./trace-replay.js"

await replay(JSON.parse(readFileSync(process.argv[2]!, "utf8")))
