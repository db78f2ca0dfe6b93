/** Loaded before anything else: takes the rule `CONCLAVE_PLANTED` out of what is loaded afterwards. */
import { register } from "node:module"
import { plantedRules } from "./planted-rules.js"

const { CONCLAVE_PLANTED: rule } = process.env
const planted = plantedRules.filter((it) => it.rule === rule)
if (planted.length === 0) throw new Error(`nobody has planted ${rule}`)
register("./plant-rule-hooks.js", import.meta.url, { data: planted })
