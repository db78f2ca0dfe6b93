import { command } from "../arguments.js"
import { closeGroup, resume, suspend } from "./admin/acting.js"
import { announceRestore } from "./admin/announcing.js"
import { actions, groups, names, status } from "./admin/showing.js"

export const admin = command({
  parts: {
    status,
    groups,
    names,
    suspend,
    resume,
    "close-group": closeGroup,
    "announce-restore": announceRestore,
    log: actions,
  },
  options: {},
  // Its parts are called instead.
  run: async () => 0,
})
