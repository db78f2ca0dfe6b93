/** Finds in packet captures what links connections to one client. */
export { type CapturedPacket, CaptureError, readCapture } from "./capture-reader.js"
export type { Connection } from "./connections.js"
export type { Link, LinkKind } from "./links.js"
export { findRepeats, type Repeat, type RepeatOptions } from "./repeats.js"
export { parseSegment, type Segment } from "./segment.js"
export { formatTrace } from "./table.js"
export { renderTimeline } from "./timeline.js"
export { type TraceReport, trace } from "./trace.js"
