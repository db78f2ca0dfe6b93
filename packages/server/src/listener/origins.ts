import { mountPath } from "../mount.js"

/** Which address browsers reach the service by, and which pages may use it. */
export interface OriginOptions {
  /**
   * The address by which browsers reach the service, a path included: `https://chat.example.org/conclave/`. Its host is
   * answered to, pages of its origin are let in whatever a proxy makes of `Host`, and requests may come with its path or
   * without it.
   */
  readonly publicUrl?: string | URL | undefined
  /** Other origins whose pages may use the service: `https://app.example.org`. Each is compared exactly. */
  readonly allowedOrigins?: readonly string[] | undefined
}

/** What is at the root of the service. */
const OWN_PATHS = ["auth", "delivery", "fast-open", "socket", "healthz", "readyz", "assets"]

/** Longer origins are no origins of pages: a host name has at most 253 characters. */
const ORIGIN_LENGTH_MAX = 256

/** How long a browser may remember what a page may send, in seconds: the most that Chromium takes. */
const PREFLIGHT_SECONDS = 7200

/** The origins whose pages may use the services. */
export class Origins {
  /** Of the public URL: without a slash at its end, empty for the root. */
  readonly path: string
  /** Of the public URL, without a port. */
  readonly host: string | undefined
  readonly #listed: ReadonlySet<string>

  /** @throws {TypeError} where the public URL or an origin is none. */
  constructor({ publicUrl, allowedOrigins = [] }: OriginOptions = {}) {
    const url = publicUrl === undefined ? undefined : publicUrlOf(publicUrl)
    this.path = url === undefined ? "" : mountPath(url.pathname)
    this.host = url?.hostname
    this.#listed = new Set([...(url === undefined ? [] : [url.origin]), ...allowedOrigins.map(originOf)])
  }

  /** Whether a page of `origin`, a header's value, may use the service, asked for by `host`, a header's value, too. */
  allows(origin: string, host: string | undefined): boolean {
    const url = readOrigin(origin)
    if (url === undefined) return false
    // A dot at its end makes no other name of it (RFC 3986 §3.2.2).
    url.hostname = url.hostname.replace(/\.$/, "")
    if (this.#listed.has(url.origin)) return true
    if (host === undefined) return false
    // Under the public name a Host without a port says nothing: proxies drop it, and the public URL says which it is.
    if (url.hostname === this.host && !/:\d+$/.test(host)) return false
    return url.host === hostOf(url.protocol, host.replace(/\.(?=:|$)/, ""))
  }

  /**
   * The headers of CORS for an answer to a page of `origin`: none for pages of other origins than those listed.
   * Credentials are never allowed: the services know no cookies.
   */
  cors(origin: string | undefined): Readonly<Record<string, string>> {
    if (this.#listed.size === 0) return {}
    const url = origin === undefined ? undefined : readOrigin(origin)
    const isListed = url !== undefined && this.#listed.has(url.origin)
    return { vary: "origin", ...(isListed && { "access-control-allow-origin": url.origin }) }
  }

  /** The headers of an answer to a preflight request (Fetch, §3.2.2); `undefined` for a page that may not ask. */
  preflight(origin: string): Readonly<Record<string, string>> | undefined {
    const headers = this.cors(origin)
    if (headers["access-control-allow-origin"] === undefined) return undefined
    return {
      ...headers,
      "access-control-allow-methods": "POST",
      "access-control-allow-headers": "content-type",
      "access-control-max-age": String(PREFLIGHT_SECONDS),
    }
  }
}

/** The value of an `Origin` header as it is compared and shown; `undefined` for `null` and for what is no web origin. */
export const serializedOrigin = (origin: string): string | undefined => readOrigin(origin)?.origin

/**
 * A public URL, its path with a slash at its end.
 *
 * @throws {TypeError} that says what is wrong, beginning with "must".
 */
export function publicUrlOf(text: string | URL): URL {
  const url = webAddress(text)
  const wrong = (what: string) => new TypeError(`must be the address that browsers open, ${what}`)
  if (url === undefined) throw wrong(`like https://chat.example.org/, not ${quoted(text)}`)
  if (url.username !== "" || url.password !== "") throw wrong("without a name or password")
  // What a bare "?" or "#" leaves behind is seen in the text alone.
  if (/[?#]/.test(url.href)) throw wrong(`without a query or fragment, like ${url.origin}${url.pathname}`)
  if (!url.pathname.endsWith("/")) url.pathname += "/"
  // Where a proxy takes the path off, one of the service's own could be that, or what is beneath it.
  if (OWN_PATHS.includes(url.pathname.split("/")[1]!))
    throw wrong(`not with ${url.pathname}, which is the service's own path`)
  try {
    mountPath(url.pathname)
  } catch {
    throw wrong(`with a path of letters, digits and -._~ like /conclave/, not ${quoted(url.pathname)}`)
  }
  return url
}

/**
 * An origin as browsers send it: scheme, host, and the port where it is not the scheme's own.
 *
 * @throws {TypeError} that says what is wrong, beginning with "must".
 */
export function originOf(text: string): string {
  if (text.includes("*"))
    throw new TypeError(`must name each origin, like https://app.example.org: ${quoted(text)} is a pattern`)
  if (text === "null")
    throw new TypeError("must not be null: files and sandboxed frames of every site have that origin")
  const url = webAddress(text)
  if (url === undefined) throw new TypeError(`must be an origin like https://app.example.org, not ${quoted(text)}`)
  if (url.href !== `${url.origin}/` || /[/?#]$/.test(text)) {
    throw new TypeError(`must be an origin without a path, like ${url.origin}, not ${quoted(text)}`)
  }
  return url.origin
}

function webAddress(text: string | URL): URL | undefined {
  const url = URL.canParse(String(text)) ? new URL(text) : undefined
  // The parser forgives what nobody means: "https:host", spaces, backslashes.
  const isMeant = typeof text !== "string" || /^https?:\/\/[^\s\\/]/i.test(text)
  return url !== undefined && isMeant && /^https?:$/.test(url.protocol) ? url : undefined
}

function readOrigin(origin: string): URL | undefined {
  return origin.length > ORIGIN_LENGTH_MAX ? undefined : webAddress(origin)
}

/** A `Host` with its port where that is not the scheme's own, as {@link URL.host} has it. */
function hostOf(protocol: string, host: string): string | undefined {
  const address = `${protocol}//${host}`
  return /^[^/?#@\\\s]+$/.test(host) && URL.canParse(address) ? new URL(address).host : undefined
}

function quoted(text: string | URL): string {
  const visible = String(text).replace(/\p{C}/gu, "?")
  return `"${visible.length > 60 ? `${visible.slice(0, 60)}…` : visible}"`
}
