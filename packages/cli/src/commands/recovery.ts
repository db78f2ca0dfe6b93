import { command } from "../arguments.js"
import { makeRecoveryKey } from "./recovery/making.js"
import { useRecoveryKey } from "./recovery/using.js"

export const recovery = command({
  parts: { make: makeRecoveryKey, use: useRecoveryKey },
  options: {},
  // Its parts are called instead.
  run: async () => 0,
})
