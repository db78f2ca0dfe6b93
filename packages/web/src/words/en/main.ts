import { eventWords } from "@conclave/client/browser"
import { alertButtons, banner } from "./alerts.js"
import { invitations } from "./invitations.js"
import { keeping } from "./keeping.js"
import { list } from "./list.js"
import { members } from "./members.js"
import { chat, composer, messages } from "./messages.js"
import { notices } from "./notices.js"
import { creation, line, page, part, version } from "./page.js"
import { person } from "./person.js"
import { failures, problems } from "./problems.js"
import { search } from "./search.js"
import { forgotten, start, welcome } from "./start.js"
import { keys, trust } from "./trust.js"

/** English: what the page's own script needs. */
export const main = {
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
  /** What happened, as `eventWords` of the client says it. */
  event: eventWords,
  /** How lists are joined: a tag of BCP 47. */
  lists: "en-GB",
}
