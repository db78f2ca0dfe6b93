import { command } from "../arguments.js"
import { closeGroup, resume, suspend } from "./admin/acting.js"
import { announceRestore } from "./admin/announcing.js"
import { actions, groups, names, status } from "./admin/showing.js"

export const admin = command({
  summary: "see what a service stores, suspend names, close groups",
  description: [
    "For the owner of the service's file, or who may write to its database (DATABASE_URL), while the service runs or not. What " +
      "is done holds from its next request on, and is kept there, with the time, the system's user and the reason: conclave " +
      "admin log shows it.",
    "A service knows no members and no contents: docs/operating.md says what there is to see, and what closing and " +
      "suspending can do and cannot.",
  ],
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
