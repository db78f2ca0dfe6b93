/** `hunting.js FROM SEEDS`: hunts in this process and prints what was found as JSON; see `huntPlanted`. */
import { hunt } from "./hunt.js"

const [from, seedsMax] = process.argv.slice(2).map(Number)
const found = await hunt({}, { from: from!, seedsMax: seedsMax! })
process.stdout.write(JSON.stringify(found))
