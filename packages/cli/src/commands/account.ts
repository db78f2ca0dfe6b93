import { command } from "../arguments.js"
import { eraseAccount } from "./account/erasing.js"
import { exportAccount } from "./account/exporting.js"

export const account = command({
  summary: "show a person what a service holds of a name, or erase it",
  description: [
    "For the owner of the service's file, or who may write to its database (DATABASE_URL), while the service runs or not, as " +
      "conclave admin. A person does the same without an operator, in an application: client.exportAccount() and " +
      "client.eraseAccount().",
    "What a service cannot tell of a name, and cannot erase: which conversations it is in, what it has said. " +
      "docs/operating.md says why, and what remains.",
  ],
  parts: { export: exportAccount, erase: eraseAccount },
  options: {},
  // Its parts are called instead.
  run: async () => 0,
})
