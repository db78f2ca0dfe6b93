/** Pure functions that a headless client is made of, for those who keep state by themselves, and for tests. */
export { followAlerts } from "./alerts.js"
export { inOrder, type WaitingInvitation } from "./invitations.js"
export { migration } from "./migrations.js"
export { type NoticePlace, noticeOf, withNotice } from "./notices.js"
export { fromText, hexOf } from "./records.js"
export { type AlertView, shownAlert } from "./shown-alerts.js"
