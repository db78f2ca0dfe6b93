/** Values of RFC 9420 for people: which types there are, and how `print` of the codec shows them. */
export { type GroupRecordType, groupRecordType, groupRecordTypes } from "./group-records.js"
export { type InspectionOptions, inspection } from "./inspection.js"
export { inspectableTypes, outermostTypes } from "./types.js"
