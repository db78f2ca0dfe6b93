import { command } from "../arguments.js"
import { eraseAccount } from "./account/erasing.js"
import { exportAccount } from "./account/exporting.js"

export const account = command({
  parts: { export: exportAccount, erase: eraseAccount },
  options: {},
  // Its parts are called instead.
  run: async () => 0,
})
