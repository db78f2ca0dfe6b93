/** Independent implementations of RFC 9420 beside Conclave. */
export * from "./neighbours/neighbour.js"
export { openMls } from "./neighbours/openmls.js"
export { conclave } from "./neighbours/ours.js"
export { tsMls } from "./neighbours/ts-mls.js"
export { tsMlsNext } from "./neighbours/ts-mls-next.js"
export { given } from "./options.js"
