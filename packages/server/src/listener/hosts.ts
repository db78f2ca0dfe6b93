import { addressBytes } from "@conclave/transport/parts"

/** The names of this machine for itself. */
const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"]

/**
 * The names that a listener is served under. A page of any site can make its own name mean this machine (DNS rebinding)
 * and would then be of the same origin as the service; but its requests say that name in their `Host`.
 */
export class Hosts {
  readonly #names: ReadonlySet<string> | undefined
  readonly #mayBeAbsent: boolean

  /**
   * @param host what is listened at; `undefined` where that is not known
   * @param allowed names beside that of a listener that only this machine reaches; or `any`. Where other machines reach
   *   it, or that is not known, nothing given means `any`: its names are not known either.
   * @param publicHost the name by which browsers reach the service, where that is known. A proxy is in front then, and a
   *   request without any `Host` is answered: no browser sends one.
   */
  constructor(
    host: string | undefined,
    allowed: readonly string[] | "any" | undefined,
    publicHost?: string | undefined,
  ) {
    this.#mayBeAbsent = publicHost !== undefined
    if (allowed === "any" || (allowed === undefined && (host === undefined || !isLoopback(host)))) return
    const further = [host, publicHost].filter((name) => name !== undefined)
    const names = [...LOOPBACK, ...[...further, ...(allowed ?? [])].map(bracketed)]
    this.#names = new Set(names.map((name) => name.toLowerCase()))
  }

  /** Why a request with this `Host` is not answered; `undefined` where it is. */
  refuse(host: string | undefined): string | undefined {
    if (this.#names === undefined || (host === undefined && this.#mayBeAbsent)) return undefined
    const name = (host ?? "").replace(/:\d*$/, "").replace(/\.$/, "").toLowerCase()
    return this.#names.has(name)
      ? undefined
      : "this service does not answer to the name you asked for (see --public-url)"
  }
}

/** Whether only this machine reaches a listener at `host`. */
export function isLoopback(host: string): boolean {
  if (host.toLowerCase() === "localhost") return true
  const bytes = addressBytes(host)
  if (bytes === undefined) return false
  return bytes.length === 4 ? bytes[0] === 127 : bytes.every((byte, index) => byte === (index === 15 ? 1 : 0))
}

const bracketed = (name: string) => (name.includes(":") && !name.startsWith("[") ? `[${name}]` : name)
