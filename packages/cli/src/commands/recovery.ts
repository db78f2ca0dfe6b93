import { command } from "../arguments.js"
import { makeRecoveryKey } from "./recovery/making.js"
import { useRecoveryKey } from "./recovery/using.js"

export const recovery = command({
  summary: "make the recovery key of your name, and return with it",
  description: [
    "A recovery key is kept on paper, apart from all devices. It revokes any of them, the oldest too, and brings a new one where " +
      "all are lost. Whoever has it has the name; whoever loses it cannot make another one.",
    "It is read from the input, and never given as an argument: others see those.",
  ],
  parts: { make: makeRecoveryKey, use: useRecoveryKey },
  options: {},
  // Its parts are called instead.
  run: async () => 0,
})
