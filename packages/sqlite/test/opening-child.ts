import { openDatabase } from "../src/database.js"

/** Opens the file and holds it until the parent is gone or ends it; tells how that went. */
try {
  openDatabase({ file: process.argv[2]! })
  process.send!({ opened: true })
  process.on("disconnect", () => process.exit())
} catch (error) {
  process.send!({ opened: false, reason: (error as Error).message })
  process.disconnect()
}
