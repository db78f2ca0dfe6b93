/** What somebody does, in words. */
import type { Action } from "./honest.js"

const list = (names: unknown): string => (Array.isArray(names) ? names.join(", ") : String(names))

const verbs: Readonly<Record<string, (action: Action) => string>> = {
  create: ({ members }) => `creates the conversation with ${list(members)}`,
  deliver: ({ upto, becomes }) =>
    `reads the log up to #${upto}${becomes === undefined ? "" : ` and is then ${becomes}`}`,
  "take answer": ({ knock, becomes }) =>
    `gets the answer to knock ${knock}, and ${becomes === "enters" ? "enters" : "refuses it"}`,
  hear: ({ knock }) => `hears of knock ${knock}`,
  answer: ({ knocks }) => `answers knock ${list(knocks)} by a commit`,
  forget: ({ knocks }) => `refuses some of the knocks ${list(knocks)}, and forgets them`,
  join: () => "takes the Welcome out of its inbox",
  restart: () => "restarts, and forgets what it had only in memory",
  send: ({ as, seq }) =>
    `sends a message${as === undefined ? "" : ` as ${as}`}${seq === undefined ? "" : ` (#${seq})`}`,
  refresh: ({ seq }) => `renews its leaf${seq === undefined ? "" : ` (#${seq})`}`,
  remove: ({ whom, seq }) => `removes ${whom} (#${seq})`,
  add: ({ whom, seq }) => `adds ${whom} (#${seq})`,
  "closed path": ({ closedTo, seq }) => `commits a path that does not open for ${list(closedTo)} (#${seq})`,
  "other key": ({ seq }) => `commits, and registers a key that nobody else derives (#${seq})`,
  garbage: ({ seq }) => `appends a commit that breaks a rule (#${seq})`,
  "garbage with a key": ({ seq }) => `appends a commit that breaks a rule, with a key of its own (#${seq})`,
  "past commit": ({ seq }) => `appends a commit of the epoch before (#${seq})`,
  "past commit with a key": ({ seq }) => `appends a commit of a past epoch, with a key of its own (#${seq})`,
  "own message with a key": ({ of, seq }) => `appends a commit that ${of} takes for its own, with a key (#${seq})`,
  "path without a key": ({ seq }) => `commits a path and registers no key (#${seq})`,
  "false answer": ({ knock, seq }) => `answers knock ${knock} with a Welcome that does not open (#${seq})`,
  "false answer beside": ({ knock, seq }) => `commits something else, as if it answered knock ${knock} (#${seq})`,
  "invented answer": ({ knock, seq }) =>
    `answers knock ${knock} by a good commit, and with a Welcome into an invented group (#${seq})`,
  "invented answer, as garbage": ({ knock, seq }) =>
    `answers knock ${knock} by garbage, and with a Welcome into an invented group (#${seq})`,
  knock: ({ as, knock }) => `knocks${as === undefined ? "" : ` as ${as}`} (knock ${knock})`,
  "knock for a stranger": ({ knock }) => `knocks with a stranger's key package (knock ${knock})`,
  "forged knock": ({ knock }) => `leaves a knock in A's name without a signature of A's (knock ${knock})`,
  copy: ({ of }) => `copies the whole state of ${of}`,
  commit: ({ as }) => `commits as ${as}`,
  "a day passes": () => "keeps knocks and answers no longer: a day has passed",
  lie: ({ of, knock, entry, to, second }) =>
    `lies: ${of}${[knock, entry, to, second].flatMap((it) => (it === undefined ? [] : [` ${list(it)}`])).join("")}`,
}

export const inWords = (action: Action): string => `${action.actor} ${verbs[action.does]!(action)}`
