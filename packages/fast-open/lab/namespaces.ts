import { execFileSync, spawnSync } from "node:child_process"
import { accessSync, constants, existsSync, readdirSync } from "node:fs"
import { socketOptions } from "../src/sockets/socket-options.js"

const PREFIX = "conclave-lab-"
const NAMESPACES = "/run/netns"
const TUN_DEVICE = "/dev/net/tun"

/** What this machine lacks to run the laboratory, in words; `undefined` when it can. */
export function missingPrivileges(): string | undefined {
  if (process.platform !== "linux") return `the laboratory needs Linux; this is ${process.platform}`
  if (process.getuid?.() !== 0) return "the laboratory makes network namespaces: run it as root"
  if (!writable(TUN_DEVICE)) return `the laboratory needs ${TUN_DEVICE} (modprobe tun)`
  if (spawnSync("ip", ["-V"], { stdio: "ignore" }).status !== 0) return "the laboratory needs the command ip (iproute2)"
  const options = socketOptions()
  return options instanceof Error ? `the laboratory needs koffi: ${options.message}` : probeNamespaces()
}

/** A container may run as root and still lack CAP_SYS_ADMIN: only trying tells. */
function probeNamespaces(): string | undefined {
  const name = `${PREFIX}${process.pid}-probe`
  const added = spawnSync("ip", ["netns", "add", name], { encoding: "utf8" })
  if (added.status !== 0) return `the laboratory may not make network namespaces: ${added.stderr.trim()}`
  const settable =
    spawnSync("ip", ["netns", "exec", name, "test", "-w", "/proc/sys/net/ipv4/tcp_fastopen"]).status === 0
  removeNamespace(name)
  return settable ? undefined : "the laboratory needs to write net.ipv4.tcp_fastopen inside its namespaces"
}

function writable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK)
    return true
  } catch {
    return false
  }
}

let made = 0

/** Makes a network namespace with loopback up, named after this process; leftovers of dead processes are removed. */
export function makeNamespace(role: string): string {
  removeLeftovers()
  const name = `${PREFIX}${process.pid}-${made++}-${role}`
  ip("netns", "add", name)
  ip("-n", name, "link", "set", "lo", "up")
  return name
}

/** With the processes that are in it: none outlives the laboratory. */
export function removeNamespace(name: string): void {
  const { stdout } = spawnSync("ip", ["netns", "pids", name], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] })
  for (const pid of stdout.split("\n").filter(Boolean).map(Number)) {
    try {
      process.kill(pid, "SIGKILL")
    } catch {
      // It has just ended.
    }
  }
  spawnSync("ip", ["netns", "del", name], { stdio: "ignore" })
}

function removeLeftovers(): void {
  if (!existsSync(NAMESPACES)) return
  for (const name of readdirSync(NAMESPACES)) {
    const owner = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1]
    if (owner !== undefined && !existsSync(`/proc/${owner}`)) removeNamespace(name)
  }
}

/** Runs `ip`; throws with its words when it fails. */
export function ip(...words: string[]): string {
  return execFileSync("ip", words, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] })
}

/** Sets a kernel parameter inside a namespace. */
export function setSysctl(namespace: string, name: string, value: string): void {
  const path = `/proc/sys/${name.replaceAll(".", "/")}`
  ip("netns", "exec", namespace, "sh", "-c", `echo '${value}' > ${path}`)
}

export function namespacePath(name: string): string {
  return `${NAMESPACES}/${name}`
}
