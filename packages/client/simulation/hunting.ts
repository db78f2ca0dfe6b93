/** `hunting.js FROM SEEDS`: hunts for the planted bug in this process and prints what was found as JSON; see `huntPlanted`. */
import { hunt } from "./hunt.js"
import { bugs } from "./planted.js"

const [from, seedsMax] = process.argv.slice(2)
const bug = bugs.find(({ name }) => name === process.env.CONCLAVE_PLANTED)!
process.stdout.write(JSON.stringify(await hunt(bug, { from: Number(from), seedsMax: Number(seedsMax) })))
