import { parseArgs } from "node:util"
import { DEVICES, NAMES } from "./plan.js"

export const usage = `Usage: npm run simulate -- [options]

Tries one seed after another, up to the first that fails, which is made small.
Without --seeds and --minutes it tries 200 seeds.

  --seeds N          so many seeds
  --minutes M        for so long
  --from SEED        the first seed (default: 1)
  --jobs N           in so many processes, 1 to 64 (default: 1)
  --clients N        devices of a seed, 2 to ${NAMES.length} (default: ${DEVICES.min} to ${DEVICES.max}, by the seed)
  --failovers        a replica takes over in each seed, soon in three of four
  --twice            each seed twice, compared byte for byte

  --seed SEED        this seed alone, twice
  --trace            with --seed: and what happens in it

  --planted          plants each known bug, and counts seeds until it is found
  --planted-seeds N  gives up after so many (default: 1000)
  --gateway-bugs     those alone of gateways, of stores and of failovers
  --by-seeds         without the kept plans that show some of them
  --bug PART         those alone with PART in their names; may be repeated

  --help             this text

Exit code 1: something was found, or a planted bug was not. Exit code 2: the
arguments are wrong.
`

export interface Arguments {
  readonly seeds: number | undefined
  readonly minutes: number | undefined
  readonly from: number
  readonly jobs: number
  readonly clients: number | undefined
  readonly failovers: boolean
  readonly twice: boolean
  readonly seed: number | undefined
  readonly trace: boolean
  readonly planted: boolean
  readonly plantedSeeds: number
  readonly gatewayBugs: boolean
  readonly bySeeds: boolean
  readonly bugs: readonly string[] | undefined
  readonly help: boolean
}

/** The arguments are wrong; the message is a sentence for people. */
export class WrongArguments extends Error {
  override readonly name = "WrongArguments"
}

/** @throws {WrongArguments} */
export function argumentsOf(args: readonly string[]): Arguments {
  const values = parsed(args)
  return {
    seeds: optional("seeds", values.seeds, 1, 1e9),
    minutes: optional("minutes", values.minutes, 0, 1e6),
    from: numberOf("from", values.from, 0, 2 ** 31),
    jobs: numberOf("jobs", values.jobs, 1, 64),
    clients: optional("clients", values.clients, 2, NAMES.length),
    failovers: values.failovers,
    twice: values.twice,
    seed: optional("seed", values.seed, 0, 2 ** 31),
    trace: values.trace,
    planted: values.planted,
    plantedSeeds: numberOf("planted-seeds", values["planted-seeds"], 1, 1e6),
    gatewayBugs: values["gateway-bugs"],
    bySeeds: values["by-seeds"],
    bugs: values.bug,
    help: values.help,
  }
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        seeds: { type: "string" },
        from: { type: "string", default: "1" },
        minutes: { type: "string" },
        jobs: { type: "string", default: "1" },
        clients: { type: "string" },
        seed: { type: "string" },
        trace: { type: "boolean", default: false },
        failovers: { type: "boolean", default: false },
        twice: { type: "boolean", default: false },
        planted: { type: "boolean", default: false },
        bug: { type: "string", multiple: true },
        "gateway-bugs": { type: "boolean", default: false },
        "by-seeds": { type: "boolean", default: false },
        "planted-seeds": { type: "string", default: "1000" },
        help: { type: "boolean", default: false },
      },
    }).values
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    // Node's sentences after the first are about positional arguments, which there are none of.
    throw new WrongArguments(`${error.message.split(". ")[0]}; --help tells what there is`)
  }
}

const optional = (option: string, given: string | undefined, least: number, most: number) =>
  given === undefined ? undefined : numberOf(option, given, least, most)

function numberOf(option: string, given: string, least: number, most: number): number {
  const number = Number(given)
  if (given !== "" && number >= least && number <= most) return number
  throw new WrongArguments(`--${option}: a number from ${least} to ${most}, not ${JSON.stringify(given)}`)
}
