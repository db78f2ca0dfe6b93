import { attackOf } from "./catalogue.js"
import { World } from "./world.js"

/*
 * One attack in a process of its own: `node dist/src/one.js C1a`. The last line that it prints is its outcome as JSON;
 * it ends with 0 where the attack was carried out, whatever came of it. Several, one after the other, each on a world of its own:
 * `one.js C1a C2b`. Each prints a line; one that could not be carried out says so in its line.
 */

const ids = process.argv.slice(2)
process.exitCode = 0
for (const id of ids) {
  const world = new World()
  const started = performance.now()
  try {
    const { succeeded, evidence } = await attackOf(id).run(world)
    const seconds = Math.round((performance.now() - started) / 100) / 10
    console.log(JSON.stringify({ ...(ids.length > 1 && { id }), succeeded, evidence, seconds }))
  } catch (error) {
    console.error(error)
    if (ids.length > 1) console.log(JSON.stringify({ id, broken: String(error) }))
    process.exitCode = 2
  }
  await world[Symbol.asyncDispose]().catch(() => {})
}
// What the attack has left running, a client in a loop for example, ends here.
process.exit()
