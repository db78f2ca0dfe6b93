import { isIP } from "node:net"
import { judgeDisplayName, judgeName, normalizeName } from "@conclave/contracts/names"
import { originOf, publicUrlOf } from "@conclave/server"
import { flag, optional, required, withDefault } from "./arguments.js"
import { UsageError } from "./failure.js"
import type { Words } from "./words/form.js"
import { words } from "./words/words.js"

export const DEFAULT_PORT = 7080
export const DEFAULT_HOST = "127.0.0.1"

/** Options that several commands share. */
export const asOption = required({
  placeholder: "NAME",
  variable: "CONCLAVE_AS",
  read: name,
})
export const displayNameOption = optional({
  placeholder: "TEXT",
  read: displayName,
})
export const serverOption = withDefault(new URL(`http://${DEFAULT_HOST}:${DEFAULT_PORT}/`), {
  placeholder: "URL",
  variable: "CONCLAVE_SERVER",
  read: serverAddress,
})
export const dataOption = optional({
  placeholder: "DIR",
  read: nonEmpty("folder"),
})

/** For those who ask: how they reach the service. */
export const fastOpenOptions = {
  "fast-open": flag(),
  "server-key": optional({
    placeholder: "KEY",
    read: serverKey,
  }),
}

export function name(text: string): string {
  const name = normalizeName(text)
  const fault = judgeName(name)
  if (fault !== undefined) throw new UsageError(words().values.name(shortened(text), words().values.nameFault(fault)))
  return name
}

export function displayName(text: string): string {
  const judged = judgeDisplayName(text)
  if (judged.text === undefined) {
    const { displayName, displayNameFault } = words().values
    throw new UsageError(displayName(shortened(text), displayNameFault(judged.why)))
  }
  return judged.text
}

export function port(text: string): number {
  const number = Number(text)
  if (/^\d{1,5}$/.test(text) && number <= 65_535) return number
  throw new UsageError(words().values.port(shortened(text)))
}

/** 32 bytes in hexadecimal. */
export function serverKey(text: string): Uint8Array {
  if (/^[0-9a-f]{64}$/i.test(text)) return Uint8Array.from(Buffer.from(text, "hex"))
  throw new UsageError(words().values.hexadecimal)
}

/** `9464` at the loopback address, or `10.0.0.5:9464`, `[::1]:9464`. */
export function place(text: string): { readonly host: string; readonly port: number } {
  const [, host = DEFAULT_HOST, number = ""] = /^(?:([^:\s]+|\[[0-9a-f:]+\]):)?(\d{1,5})$/i.exec(text) ?? []
  if (number === "") throw new UsageError(words().values.place(shortened(text)))
  return { host: host.replace(/^\[|\]$/g, ""), port: port(number) }
}

export function count(text: string): number {
  const number = Number(text)
  if (/^\d{1,9}$/.test(text) && number > 0) return number
  throw new UsageError(words().values.count(shortened(text)))
}

/** 2 to 2^63 - 1: an incarnation after a restored backup. */
export function incarnation(text: string): bigint {
  const number = /^\d{1,19}$/.test(text) ? BigInt(text) : 0n
  if (number >= 2n && number < 1n << 63n) return number
  throw new UsageError(words().values.incarnation(shortened(text)))
}

/** Addresses and networks, with commas between them. */
export function proxies(text: string): readonly string[] {
  const networks = text.split(",").map((network) => network.trim())
  const wrong = networks.find((network) => !isNetwork(network))
  if (wrong === undefined) return networks
  throw new UsageError(words().values.networks(shortened(wrong)))
}

function isNetwork(text: string): boolean {
  const [address = "", bits, ...rest] = text.split("/")
  const width = isIP(address) === 4 ? 32 : 128
  return (
    isIP(address) !== 0 &&
    rest.length === 0 &&
    (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= width))
  )
}

/** Names of hosts without ports, with commas between them. */
export function hosts(text: string): readonly string[] {
  const names = text.split(",").map((name) => name.trim())
  const wrong = names.find((name) => !/^[a-z0-9.-]{1,253}$/i.test(name) && isIP(name.replace(/^\[|\]$/g, "")) === 0)
  if (wrong === undefined) return names
  throw new UsageError(words().values.hosts(shortened(wrong)))
}

/** The address by which browsers reach a service, its path with a slash at its end. */
export const publicUrl = (text: string): URL => withUsage(() => publicUrlOf(text.trim()))

/** Origins of pages, with commas between them. */
export const origins = (text: string): readonly string[] =>
  withUsage(() => text.split(",").map((origin) => originOf(origin.trim())))

function withUsage<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(words().values.origin(error.message))
    throw error
  }
}

/** `postgres://user:password@host:port/database`. What is wrong with it is said without it: it may hold a password. */
export function postgresUrl(text: string): string {
  if (/^postgres(ql)?:\/\/./.test(text) && URL.canParse(text)) return text
  throw new UsageError(words().values.postgres)
}

export function natsUrls(text: string): readonly string[] {
  const urls = text.split(",").map((it) => it.trim())
  if (urls.every((it) => /^(nats|tls):\/\/[^@]+$/.test(it) && URL.canParse(it))) return urls
  throw new UsageError(words().values.nats)
}

/** In bytes, at least 1 MiB: a number, or one with K, M, G or T, which are powers of 1,024. */
export function size(text: string): number {
  const [, number, unit = ""] = /^(\d{1,15})([KMGT]?)$/.exec(text) ?? []
  const bytes = Number(number) * 1024 ** ["", "K", "M", "G", "T"].indexOf(unit)
  if (bytes >= 1024 ** 2 && bytes < 2 ** 50) return bytes
  throw new UsageError(words().values.size(shortened(text)))
}

/** A number of days, 1 to 10,000. */
export function days(text: string): number {
  const number = Number(text)
  if (/^\d{1,5}$/.test(text) && number >= 1 && number <= 10_000) return number
  throw new UsageError(words().values.days(shortened(text)))
}

/** In milliseconds, from seconds with a fraction. */
export function seconds(text: string): number {
  const milliseconds = Math.round(Number(text) * 1000)
  // Longer timers than 2³¹ ms end at once.
  if (/^\d+(\.\d+)?$/.test(text) && milliseconds > 0 && milliseconds < 2 ** 31) return milliseconds
  throw new UsageError(words().values.seconds(shortened(text)))
}

/** `what`: as `values.needed` calls it. */
export function nonEmpty(what: Parameters<Words["values"]["needed"]>[0]): (text: string) => string {
  return (text) => {
    if (text !== "" && !text.includes("\0")) return text
    throw new UsageError(words().values.needed(what))
  }
}

function serverAddress(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isAddress = url !== undefined && (url.protocol === "http:" || url.protocol === "https:")
  if (!isAddress) throw new UsageError(words().values.address(shortened(text)))
  if (url.username !== "" || url.password !== "") throw new UsageError(words().values.addressWithPassword)
  if (url.search !== "" || url.hash !== "") {
    throw new UsageError(words().values.addressWithQuery(url.origin, shortened(text)))
  }
  if (!url.pathname.endsWith("/")) url.pathname += "/"
  if (/\/(delivery|auth|socket)\/$/.test(url.pathname)) {
    const above = new URL("..", url).href
    throw new UsageError(words().values.addressOfService(above, shortened(text)))
  }
  return url
}

function shortened(text: string): string {
  const visible = text.replace(/\p{C}/gu, "?")
  return visible.length > 60 ? `${visible.slice(0, 60)}…` : visible
}
