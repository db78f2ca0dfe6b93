/** Pure functions that a headless client is made of, for those who keep state by themselves, and for tests. */
export { followAlerts } from "./alerts.js"
export { inOrder, type WaitingInvitation } from "./invitations.js"
export { FORMAT_VERSION, migration } from "./migrations.js"
export { type NoticePlace, noticeOf, withNotice } from "./notices.js"
export { shownAlert, type AlertView } from "./shown-alerts.js"
export { fromText, hexOf, bytesOf, toText } from "./records.js"
