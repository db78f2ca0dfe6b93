import { nodeProvider } from "@conclave/crypto/node"
import { raiseIncarnation } from "@conclave/delivery"
import { command, optional, required } from "../../arguments.js"
import { databaseName } from "../../database.js"
import { exitCodes, Failure } from "../../failure.js"
import { incarnation } from "../../options.js"
import { adminOptions, does, naming, reason } from "./operator.js"

export const announceRestore = command({
  options: {
    reason: required({ placeholder: "TEXT", read: reason }),
    incarnation: optional({ placeholder: "N", read: incarnation }),
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
