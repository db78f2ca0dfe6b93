/** What a page and a command line both say in German: what happened, faults of names, reasons. English is the SDK's own. */
export { event } from "./german/events.js"
export { displayNameFault, nameFault } from "./german/names.js"
export { reason } from "./german/reasons.js"
export { refusalSentences } from "./german/refusals.js"
