import { type Slicing, slicingBy } from "../src/slices.js"
import type { Timers } from "../src/timers.js"
import type { Dice } from "./random.js"

/**
 * Groups are small here, and no time passes while a program computes: one device of four works in slices whatever the
 * size of a group, and its slices end by chance.
 */
export function simulatedSlicing(dice: Dice): (timers: Timers) => Slicing {
  if (!dice.chance(25)) return slicingBy
  return (timers) => ({ ...slicingBy(timers), membersMin: 1, begin: () => () => dice.chance(20) })
}
