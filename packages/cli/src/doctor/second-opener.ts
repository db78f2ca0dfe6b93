/** A process of its own, which tries to open the profile that is its argument while another one has it open. */
import { sqliteStore } from "@conclave/client/node"
import { OPENED, REFUSED } from "./second-opener-codes.js"

try {
  const store = sqliteStore(process.argv[2]!)
  await store[Symbol.asyncDispose]()
  process.exitCode = OPENED
} catch (error) {
  if ((error as { code?: unknown }).code !== "STORE_LOCKED") throw error
  process.exitCode = REFUSED
}
