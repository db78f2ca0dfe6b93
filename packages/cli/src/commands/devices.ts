import { command } from "../arguments.js"
import { listDevices } from "./devices/listing.js"
import { revokeDevice } from "./devices/revoking.js"

export const devices = command({
  summary: "list the devices of your name, and revoke a lost one",
  description: [
    "Each profile and each installation of an application is a device. A device is revoked by one that was registered before " +
      "it, or by itself. The oldest device of a name is revoked by no other, only with the recovery key: keep it safe, and make one " +
      "(conclave recovery make).",
  ],
  parts: { list: listDevices, revoke: revokeDevice },
  options: {},
  // Its parts are called instead.
  run: async () => 0,
})
