import { describe, it } from "node:test"
import { NotPossible } from "./support/insider.js"
import { longSeeds } from "./support/long.js"
import { isAble, replay, type Trace } from "./support/trace-replay.js"

/** The model, which is no part of the SDK and is loaded by name. */
interface Walks {
  walks(number: number, able: typeof isAble): readonly Trace[]
}

const load = (): Promise<Walks> => import(new URL("../../../../model/dist/src/walks.js", import.meta.url).href)
const WALKS = longSeeds ?? 3

describe("what devices and a service do on a random way through the model is what the model says", async () => {
  const { walks } = await load()
  for (let number = 1; number <= WALKS; number++) {
    for (const trace of walks(number, isAble)) {
      const words = trace.actions.slice(1).map(({ actor, does }) => `${actor}: ${does}`)
      it(`${trace.scenario} ${number}: ${words.join(", ")}`, async (context) => {
        try {
          await replay(trace)
        } catch (error) {
          if (!(error instanceof NotPossible)) throw error
          // As far as it goes, it went as the model says.
          context.diagnostic(`the tree does not allow it: ${error.message}`)
        }
      })
    }
  }
})
