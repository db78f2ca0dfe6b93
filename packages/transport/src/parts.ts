/** What further transports and listeners are built of: deadlines, who asks, what is held for whom, a socket's frames. */
export { withDeadline } from "./deadline.js"
export { ClientFrame, costOf, FRAME_OVERHEAD, ServerFrame, SUBPROTOCOL } from "./frames.js"
export { addressBytes, requesterAt } from "./requester.js"
export { CHUNK_COST, Holding, readingTime } from "./shares.js"
