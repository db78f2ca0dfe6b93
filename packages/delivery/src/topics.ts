/**
 * Names of logs and inboxes for hints, and for whatever else is kept for each: one byte for each of the id's, and one
 * before it, because a service keeps very many of them.
 */
export const groupTopic = (groupId: Uint8Array) => `g${latin1(groupId)}`
export const inboxTopic = (deviceId: Uint8Array) => `i${latin1(deviceId)}`

/** Of a subscription by its id: what is noted here is a signal that waits for it. */
export const signalsTopic = (subscription: Uint8Array) => `s${latin1(subscription)}`

/** The id in a topic. */
export const idOf = (topic: string) => new Uint8Array(Buffer.from(topic.slice(1), "latin1"))
export const isInbox = (topic: string) => topic.startsWith("i")

const latin1 = (id: Uint8Array) => Buffer.from(id.buffer, id.byteOffset, id.length).toString("latin1")
