/** `hunting.js FROM SEEDS BY-SEEDS`: hunts for the planted bug in this process and prints what was found as JSON; see `huntPlanted`. */
import { hunt } from "./hunt.js"
import { bugs } from "./planted.js"

const [from, seedsMax, bySeeds] = process.argv.slice(2)
const bug = bugs.find(({ name }) => name === process.env.CONCLAVE_PLANTED)!
const options = { from: Number(from), seedsMax: Number(seedsMax), bySeeds: bySeeds === "true" }
process.stdout.write(JSON.stringify(await hunt(bug, options)))
