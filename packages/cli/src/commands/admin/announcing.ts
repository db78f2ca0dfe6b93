import { nodeProvider } from "@conclave/crypto/node"
import { raiseIncarnation } from "@conclave/delivery"
import { command, optional, required } from "../../arguments.js"
import { databaseName } from "../../database.js"
import { exitCodes, Failure } from "../../failure.js"
import { incarnation } from "../../options.js"
import { words } from "../../words/words.js"
import { adminOptions, does, naming, reason } from "./operator.js"

export const announceRestore = command({
  options: {
    reason: required({ placeholder: "TEXT", read: reason }),
    incarnation: optional({ placeholder: "N", read: incarnation }),
    database: adminOptions.database,
  },
  async run({ database: url, incarnation: to, ...given }, { terminal }) {
    if (url === undefined) throw new Failure(words().admin.notADatabase)
    const { OperatorDatabase } = await import("@conclave/postgres")
    const place = databaseName(url)
    const announced = await naming(place, async () => {
      await using operator = await OperatorDatabase.open({ url })
      const action = does(given, terminal.environment)
      return await operator.announceRestore(async (store) => {
        return (await raiseIncarnation(store, nodeProvider(), { to })).incarnation
      }, action)
    }).catch((error) => {
      throw error instanceof RangeError ? new Failure(words().admin.notAnnounced(place, to, error.message)) : error
    })
    await terminal.write(`${words().admin.announced(place, announced)}\n`)
    return exitCodes.done
  },
})
