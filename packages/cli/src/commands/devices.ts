import { command } from "../arguments.js"
import { listDevices } from "./devices/listing.js"
import { revokeDevice } from "./devices/revoking.js"

export const devices = command({
  parts: { list: listDevices, revoke: revokeDevice },
  options: {},
  // Its parts are called instead.
  run: async () => 0,
})
