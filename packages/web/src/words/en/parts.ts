import { compare } from "./compare.js"
import { days } from "./days.js"
import { inspector } from "./inspector.js"
import { invitationPane } from "./invitation-pane.js"
import { recovery } from "./recovery.js"
import { restart } from "./restart.js"
import { forgetting, settings } from "./settings.js"
import { tree } from "./tree.js"
import { displayName, you } from "./you.js"

/** English: what views need that are parts of the page, see `part`. */
export const parts = {
  compare,
  days,
  displayName,
  forgetting,
  inspector,
  invitationPane,
  recovery,
  restart,
  settings,
  tree,
  you,
}
