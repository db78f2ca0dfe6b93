import { readFileSync } from "node:fs"
import { socketOptions, tcpOption } from "./socket-options.js"

const CLIENT = 1
const SERVER = 2

/** Something that stands in the way of fast open, and the command that removes it where there is one. */
export interface FastOpenObstacle {
  readonly side: "client" | "server" | "both"
  readonly reason: string
  readonly command?: string
}

export interface FastOpenSupport {
  /** Data can travel in the SYN of a connection made here, without a cookie. */
  readonly client: boolean
  /** Data in a SYN is accepted by a listener here, without a cookie. */
  readonly server: boolean
  readonly obstacles: readonly FastOpenObstacle[]
}

/**
 * What this machine can do, read anew at each call. It opens one socket, which it neither binds nor connects; it
 * changes nothing and never throws.
 */
export function fastOpenSupport(): FastOpenSupport {
  const options = socketOptions()
  if (options instanceof Error) return { client: false, server: false, obstacles: [loadObstacle(options)] }

  const obstacles = [...sysctlObstacles(), ...kernelObstacles()]
  const open = (side: "client" | "server") => !obstacles.some((found) => found.side === side || found.side === "both")
  return { client: open("client"), server: open("server"), obstacles: [...obstacles, ...blackholeNotes()] }
}

function loadObstacle(error: Error): FastOpenObstacle {
  const installable = process.platform === "linux"
  return { side: "both", reason: error.message, ...(installable && { command: "npm install koffi" }) }
}

function sysctlObstacles(): FastOpenObstacle[] {
  const setting = readSysctl("net.ipv4.tcp_fastopen")
  if (setting === undefined) return [{ side: "both", reason: "the kernel has no setting net.ipv4.tcp_fastopen" }]
  const missing = (bit: number) => (setting & bit) === 0
  const command = `sysctl -w net.ipv4.tcp_fastopen=${setting | CLIENT | SERVER}`
  return [
    ...(missing(CLIENT)
      ? [{ side: "client" as const, reason: `net.ipv4.tcp_fastopen is ${setting}: bit 1 is off`, command }]
      : []),
    ...(missing(SERVER)
      ? [{ side: "server" as const, reason: `net.ipv4.tcp_fastopen is ${setting}: bit 2 is off`, command }]
      : []),
  ]
}

function kernelObstacles(): FastOpenObstacle[] {
  const options = socketOptions()
  if (options instanceof Error) return []
  // Cookie-less fast open came with Linux 4.15, deferred connect with 4.11: asking the kernel beats comparing numbers.
  const refused = options.withProbe((probe) => options.set(probe, tcpOption.fastOpenNoCookie, 1))
  if (refused === 0) return []
  return [{ side: "both", reason: "the kernel refuses TCP_FASTOPEN_NO_COOKIE (Linux 4.15 or newer is needed)" }]
}

/** Not an obstacle by itself: with it, one unlucky connection turns fast open off for the whole machine. */
function blackholeNotes(): FastOpenObstacle[] {
  const setting = "net.ipv4.tcp_fastopen_blackhole_timeout_sec"
  const seconds = readSysctl(setting)
  if (!seconds) return []
  const reason = `${setting} is ${seconds}: the kernel stops fast open for a while after a failed connection`
  return [{ side: "client", reason, command: `sysctl -w ${setting}=0` }]
}

function readSysctl(name: string): number | undefined {
  try {
    return Number.parseInt(readFileSync(`/proc/sys/${name.replaceAll(".", "/")}`, "latin1"), 10)
  } catch {
    return undefined
  }
}

const said = new Set<string>()

/** Says once per process and side why connections are ordinary ones, and what would change it. */
export function warnOnce(side: "client" | "server", cause?: string): void {
  if (said.has(side)) return
  said.add(side)
  const obstacles = fastOpenSupport().obstacles.filter((found) => found.side === side || found.side === "both")
  const reasons = cause === undefined ? obstacles.map(describe) : [cause]
  process.emitWarning(`TCP Fast Open is not used: ${reasons.join("; ")}. Connections work as usual, without it.`, {
    type: "FastOpenWarning",
    code: "CONCLAVE_FAST_OPEN_UNAVAILABLE",
  })
}

function describe({ reason, command }: FastOpenObstacle): string {
  return command === undefined ? reason : `${reason} (enable it with: ${command})`
}
