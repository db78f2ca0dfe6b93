/**
 * TCP Fast Open (RFC 7413) for the sockets of Node on Linux, without a cookie, through the system's own socket
 * options. Everywhere else the same calls make ordinary connections.
 */
export { connect, type FastOpenConnectOptions } from "./connect.js"
export { type FastOpenListenOptions, listen } from "./listen.js"
export type { FastOpenPolicy } from "./policy.js"
export { type FastOpenObstacle, type FastOpenSupport, fastOpenSupport } from "./support.js"
export { type TcpInfo, type TcpState, tcpInfo } from "./tcp-info.js"
