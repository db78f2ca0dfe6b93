/** Loaded before anything else: changes the code as `CONCLAVE_PLANTED` says, the name of a bug. */
import { register } from "node:module"
import { bugs } from "./planted.js"

const name = process.env.CONCLAVE_PLANTED
const changes = bugs.find((bug) => bug.name === name)?.changes ?? []
register("./planting-hooks.js", import.meta.url, { data: changes })
