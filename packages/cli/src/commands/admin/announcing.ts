import { nodeProvider } from "@conclave/crypto/node"
import { raiseIncarnation } from "@conclave/delivery"
import { command, optional, required } from "../../arguments.js"
import { databaseName } from "../../database.js"
import { exitCodes, Failure } from "../../failure.js"
import { incarnation } from "../../options.js"
import { adminOptions, does, naming, reason } from "./operator.js"

export const announceRestore = command({
  summary: "tell clients that the database was restored",
  description: [
    "To be done once, after a dump or a base backup was restored, or a replica that was behind has taken over, and before the " +
      "first gateway is started: it is refused while one is connected. The service announces a new incarnation, signed by its " +
      "key. Clients notice that, and give back the commits and removals that are missing.",
    "The incarnation must be higher than every one that clients have seen, or they do not notice. It is the time in " +
      "seconds, or one above that of the backup where that is higher. If an earlier one was announced under a clock that was " +
      "ahead, give --incarnation N.",
    "A service in a file needs none of this: conclave restore announces what it restores.",
  ],
  options: {
    reason: required({ placeholder: "TEXT", help: "why: kept in the log of what was done", read: reason }),
    incarnation: optional({ placeholder: "N", help: "the incarnation to announce", read: incarnation }),
    database: adminOptions.database,
  },
  async run({ database: url, incarnation: to, ...given }, { terminal }) {
    if (url === undefined) {
      throw new Failure(
        "this is for a service in PostgreSQL: give --database, or DATABASE_URL; a file has conclave restore",
      )
    }
    const { OperatorDatabase } = await import("@conclave/postgres")
    const place = databaseName(url)
    const announced = await naming(place, async () => {
      await using operator = await OperatorDatabase.open({ url })
      const action = does(given, terminal.environment)
      return await operator.announceRestore(async (store) => {
        return (await raiseIncarnation(store, nodeProvider(), { to })).incarnation
      }, action)
    }).catch((error) => {
      throw error instanceof RangeError ? new Failure(`${place}: --incarnation ${to}: ${error.message}`) : error
    })
    await terminal.write(
      `${place} announces that it was restored, with incarnation ${announced}: gateways may start.\n`,
    )
    return exitCodes.done
  },
})
