import { event } from "@conclave/headless/german"
import type { PartWords, Words } from "../form.js"
import { alertButtons, banner, notices } from "./alerts.js"
import { compare, days, invitationPane, restart } from "./compare.js"
import { inspector, tree } from "./inspector.js"
import { keeping } from "./keeping.js"
import { list } from "./list.js"
import { members } from "./members.js"
import { chat, composer, messages } from "./messages.js"
import { creation, invitations, line, page, part, search, version } from "./page.js"
import { person } from "./person.js"
import { failures, problems } from "./problems.js"
import { recovery } from "./recovery.js"
import { forgetting, settings } from "./settings.js"
import { forgotten, start, welcome } from "./start.js"
import { keys, trust } from "./trust.js"
import { displayName, you } from "./you.js"

/** German: what the page's own script needs. */
export const main: Words = {
  ...{
    alertButtons,
    banner,
    chat,
    composer,
    creation,
    failures,
    forgotten,
    invitations,
    keeping,
    keys,
    line,
    list,
    members,
  },
  ...{ messages, notices, page, part, person, problems, search, start, trust, version, welcome },
  event,
  lists: "de",
}

/** German: what views need that are parts of the page. */
export const parts: PartWords = {
  ...{ compare, days, displayName, forgetting, inspector, invitationPane, recovery, restart, settings, tree, you },
}
