import { isIP } from "node:net"
import { connect } from "node:tls"
import type { ClientError } from "@conclave/client/node"
import { explain } from "../failure.js"
import { timeOf } from "../reader.js"
import { words } from "../words/words.js"

/** Which service was asked. */
export interface Asked {
  readonly server: URL
  /** 32 bytes. */
  readonly "server-key": Uint8Array | undefined
}

/** Why it could not be asked, and what to do about that: one line. */
export async function whyUnavailable(error: ClientError, asked: Asked): Promise<string> {
  const facts = factsOf(error, asked)
  for (const { is, says } of causes) {
    if (await is(facts)) return says(facts)
  }
  // What the transport says, and the first cause of that.
  const { errors, at } = facts
  const reasons = [errors[1] ?? error, ...errors.slice(2).slice(-1)].map((it) => explain(it).reason)
  return words().service.unusable(at, [...new Set(reasons)].join(": "))
}

interface Facts {
  readonly at: string
  readonly host: string
  readonly server: URL
  readonly hasServerKey: boolean
  readonly retryAt: Date | undefined
  /** The error, its cause, the cause of that… */
  readonly errors: readonly Cause[]
  readonly codes: ReadonlySet<string>
  /** The HTTP status, where a server answered with one that is no 200. */
  readonly status: number | undefined
}

interface Row {
  readonly is: (facts: Facts) => boolean | Promise<boolean>
  readonly says: (facts: Facts) => string
}

const MISDIRECTED = 421
const TOO_MANY_REQUESTS = 429
const GATEWAY = [502, 503, 504]

/** The first row that applies is told. */
const causes: readonly Row[] = [
  {
    is: ({ retryAt }) => retryAt !== undefined,
    says: ({ at, retryAt }) => words().service.patienceUntil(at, timeOf(retryAt!)),
  },
  {
    is: has("ECONNREFUSED"),
    says: ({ at }) => words().service.refused(at),
  },
  {
    is: has("ENOTFOUND"),
    says: ({ host }) => words().service.notFound(host),
  },
  {
    is: has("EAI_AGAIN"),
    says: ({ host }) => words().service.noNameServer(host),
  },
  {
    is: has("ENETUNREACH", "EHOSTUNREACH", "ENETDOWN", "EHOSTDOWN", "EADDRNOTAVAIL"),
    says: ({ host }) => words().service.noNetwork(host),
  },
  {
    is: has("ETIMEDOUT", "UND_ERR_CONNECT_TIMEOUT", "UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT"),
    says: ({ at }) => words().service.noAnswer(at),
  },
  {
    is: has("CERT_HAS_EXPIRED"),
    says: ({ at }) => words().service.expired(at),
  },
  {
    is: has("CERT_NOT_YET_VALID"),
    says: ({ at }) => words().service.notYetValid(at),
  },
  {
    is: has("ERR_TLS_CERT_ALTNAME_INVALID"),
    says: ({ at, host }) => words().service.otherName(at, host),
  },
  {
    is: has(
      ...["DEPTH_ZERO_SELF_SIGNED_CERT", "SELF_SIGNED_CERT_IN_CHAIN", "UNABLE_TO_VERIFY_LEAF_SIGNATURE"],
      ...["UNABLE_TO_GET_ISSUER_CERT", "UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "CERT_UNTRUSTED", "CERT_REVOKED"],
    ),
    says: ({ at }) => words().service.untrusted(at),
  },
  {
    is: ({ codes, server }) =>
      server.protocol === "https:" && [...codes].some((code) => code === "EPROTO" || code.startsWith("ERR_SSL_")),
    says: ({ at, server }) => words().service.noTls(at, server.host),
  },
  {
    is: ({ status }) => status === MISDIRECTED,
    says: ({ at, host }) => words().service.misdirected(at, host),
  },
  {
    is: ({ status }) => status === TOO_MANY_REQUESTS,
    says: ({ at }) => words().service.patience(at),
  },
  {
    is: ({ status }) => GATEWAY.includes(status ?? 0),
    says: ({ at, status }) => words().service.gateway(at, status),
  },
  {
    is: ({ status }) => status !== undefined,
    says: ({ at, status }) => words().service.otherServer(at, status),
  },
  {
    is: ({ errors }) => errors.some(({ message }) => message === "unexpected redirect"),
    says: ({ at }) => words().service.redirects(at),
  },
  {
    is: ({ errors }) => errors.some(({ message }) => message === "bad port"),
    says: ({ server }) => words().service.reservedPort(server.port),
  },
  {
    is: ({ errors }) => errors.some(({ name }) => name === "DecodeError"),
    says: ({ at }) => words().service.otherServer(at, "format"),
  },
  {
    is: ({ server, errors }) => server.protocol === "http:" && isUnread(errors) && speaksTls(server),
    says: ({ at, server }) => words().service.tls(at, server.host),
  },
  {
    is: ({ codes }) => [...codes].some((code) => code.startsWith("HPE_")),
    says: ({ at }) => words().service.otherServer(at, "http"),
  },
  {
    is: ({ errors }) => errors.some(({ message }) => message.startsWith("the service offers no sealed requests")),
    says: ({ at }) => words().service.noSealed(at),
  },
  {
    is: ({ hasServerKey }) => hasServerKey,
    says: ({ at }) => words().service.noServerKey(at),
  },
  {
    is: ({ errors }) => isUnread(errors),
    says: ({ at }) => words().service.closes(at),
  },
  {
    is: ({ errors }) => errors.some(({ message }) => /^no answer within \d+ ms$/.test(message)),
    says: ({ at }) => words().service.noAnswer(at),
  },
]

function has(...known: readonly string[]): Row["is"] {
  return ({ codes }) => known.some((code) => codes.has(code))
}

/** The connection was there, and what came was no HTTP, or nothing. */
function isUnread(errors: readonly Cause[]): boolean {
  return errors.some(
    ({ code }) => code === "UND_ERR_SOCKET" || code === "ECONNRESET" || String(code).startsWith("HPE_"),
  )
}

const PROBE_MILLISECONDS = 2_000

/** Whether a TLS handshake succeeds there, with whatever certificate. Nothing is sent over it. */
function speaksTls({ hostname, port }: URL): Promise<boolean> {
  const host = hostname.replace(/^\[|\]$/g, "")
  return new Promise((resolve) => {
    const named = isIP(host) === 0 ? { servername: host } : {}
    const socket = connect({ host, port: Number(port || 80), ...named, rejectUnauthorized: false })
    const answer = (speaks: boolean) => {
      socket.destroy()
      resolve(speaks)
    }
    socket.setTimeout(PROBE_MILLISECONDS, () => answer(false))
    socket.once("secureConnect", () => answer(true))
    socket.once("error", () => answer(false))
    socket.once("close", () => answer(false))
  })
}

type Cause = Error & { readonly code?: unknown; readonly status?: unknown }

const CAUSES_MAX = 10

function factsOf(error: ClientError, { server, "server-key": serverKey }: Asked): Facts {
  const errors = causesOf(error)
  return {
    at: server.origin,
    host: server.hostname,
    server,
    hasServerKey: serverKey !== undefined,
    retryAt: error.retryAt,
    errors,
    codes: new Set(errors.flatMap(({ code }) => (typeof code === "string" ? [code] : []))),
    status: errors.map(({ status }) => status).find((status) => typeof status === "number"),
  }
}

/** Breadth first: several addresses of one name have a cause each. */
export function causesOf(error: Error): readonly Cause[] {
  const causes: Cause[] = []
  for (let it: unknown = error; it instanceof Error && causes.length < CAUSES_MAX; it = it.cause) {
    causes.push(it)
    if (it instanceof AggregateError) causes.push(...it.errors.filter((one) => one instanceof Error))
  }
  return causes
}
