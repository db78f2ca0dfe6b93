import { asking } from "./http.js"
import { Mallory } from "./mallory.js"
import { addresses } from "./world.js"

/*
 * A member beside the service who commits without pause. Told "join" when she has been invited; ends with her parent,
 * and tells it how often the service took a commit of hers when she is told "end".
 */

const mallory = await Mallory.come("mallory", asking(new URL(process.argv[2]!), addresses.attacker))
await mallory.publish()
let going = false
let accepted = 0
let refused = 0
process.on("disconnect", () => process.exit())
process.on("message", (message) => {
  if (message === "join") void commit()
  else {
    going = false
    process.send?.({ accepted, refused })
  }
})
process.send?.("ready")

async function commit(): Promise<void> {
  await mallory.join()
  going = true
  process.send?.("joined")
  while (going) {
    try {
      const answer = await mallory.commit()
      if (answer.type === "accepted") accepted++
      else {
        refused++
        await mallory.follow()
      }
    } catch {
      // Removed, or the service wants her to wait: she does not.
      refused++
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
}
