import { attackOf } from "./catalogue.js"
import { World } from "./world.js"

/*
 * One attack in a process of its own: `node dist/src/one.js C1a`. The last line that it prints is its outcome as JSON;
 * it ends with 0 where the attack was carried out, whatever came of it.
 */

const attack = attackOf(process.argv[2]!)
const world = new World()
const started = performance.now()
try {
  const { succeeded, evidence } = await attack.run(world)
  const seconds = Math.round((performance.now() - started) / 100) / 10
  console.log(JSON.stringify({ succeeded, evidence, seconds }))
  process.exitCode = 0
} catch (error) {
  console.error(error)
  process.exitCode = 2
}
await world[Symbol.asyncDispose]().catch(() => {})
// What the attack has left running, a client in a loop for example, ends here.
process.exit()
