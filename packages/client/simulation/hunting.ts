/** `hunting.js FROM SEEDS [KEPT]`: hunts in this process and prints what was found as JSON; see `huntPlanted`. */
import { hunt } from "./hunt.js"

const [from, seedsMax, kept] = process.argv.slice(2)
const hunted = await hunt(kept ? { kept } : {}, { from: Number(from), seedsMax: Number(seedsMax) })
process.stdout.write(JSON.stringify(hunted))
