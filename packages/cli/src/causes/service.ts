import { isIP } from "node:net"
import { connect } from "node:tls"
import type { ClientError } from "@conclave/client/node"
import { explain } from "../failure.js"
import { timeOf } from "../reader.js"

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
  return `the service at ${at} cannot be used: ${[...new Set(reasons)].join(": ")}`
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
    says: ({ at, retryAt }) => `the service at ${at} asks for patience until ${timeOf(retryAt!)}; try again then`,
  },
  {
    is: has("ECONNREFUSED"),
    says: ({ at }) => `nothing listens at ${at}; conclave serve starts a service, --server gives another address`,
  },
  {
    is: has("ENOTFOUND"),
    says: ({ host }) => `the name ${host} does not resolve; check how it is written in --server`,
  },
  {
    is: has("EAI_AGAIN"),
    says: ({ host }) => `the name ${host} cannot be looked up now: no name server answers; check the network`,
  },
  {
    is: has("ENETUNREACH", "EHOSTUNREACH", "ENETDOWN", "EHOSTDOWN", "EADDRNOTAVAIL"),
    says: ({ host }) => `the network is down, or has no way to ${host}; check the connection`,
  },
  {
    is: has("ETIMEDOUT", "UND_ERR_CONNECT_TIMEOUT", "UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT"),
    says: ({ at }) => `${at} does not answer in time; check the address, and whether a firewall is in between`,
  },
  {
    is: has("CERT_HAS_EXPIRED"),
    says: ({ at }) => `the certificate of ${at} has expired; renew it there, and check this machine's clock`,
  },
  {
    is: has("CERT_NOT_YET_VALID"),
    says: ({ at }) => `the certificate of ${at} is not valid yet; check this machine's clock`,
  },
  {
    is: has("ERR_TLS_CERT_ALTNAME_INVALID"),
    says: ({ at, host }) => `the certificate of ${at} is for another name than ${host}; use the name that it is for`,
  },
  {
    is: has(
      ...["DEPTH_ZERO_SELF_SIGNED_CERT", "SELF_SIGNED_CERT_IN_CHAIN", "UNABLE_TO_VERIFY_LEAF_SIGNATURE"],
      ...["UNABLE_TO_GET_ISSUER_CERT", "UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "CERT_UNTRUSTED", "CERT_REVOKED"],
    ),
    says: ({ at }) =>
      `the certificate of ${at} is not trusted here; if its issuer is your own, name it in NODE_EXTRA_CA_CERTS`,
  },
  {
    is: ({ codes, server }) =>
      server.protocol === "https:" && [...codes].some((code) => code === "EPROTO" || code.startsWith("ERR_SSL_")),
    says: ({ at, server }) => `${at} does not speak TLS; if that is meant, use http://${server.host}`,
  },
  {
    is: ({ status }) => status === MISDIRECTED,
    says: ({ at, host }) =>
      `the service at ${at} does not answer to the name ${host}: allow it there with --allow-host`,
  },
  {
    is: ({ status }) => status === TOO_MANY_REQUESTS,
    says: ({ at }) => `the service at ${at} asks for patience; try again in a minute`,
  },
  {
    is: ({ status }) => GATEWAY.includes(status ?? 0),
    says: ({ at, status }) =>
      `a proxy answers at ${at}, and reaches no service behind it (HTTP ${status}); start it there`,
  },
  {
    is: ({ status }) => status !== undefined,
    says: ({ at, status }) =>
      `something answers at ${at} that is not a Conclave service (HTTP ${status}); check --server`,
  },
  {
    is: ({ errors }) => errors.some(({ message }) => message === "unexpected redirect"),
    says: ({ at }) => `${at} redirects elsewhere; give --server the address that it leads to`,
  },
  {
    is: ({ errors }) => errors.some(({ message }) => message === "bad port"),
    says: ({ server }) => `port ${server.port} is reserved for another protocol; run the service at another port`,
  },
  {
    is: ({ errors }) => errors.some(({ name }) => name === "DecodeError"),
    says: ({ at }) => `something answers at ${at} that is not a Conclave service (not its format); check --server`,
  },
  {
    is: ({ server, errors }) => server.protocol === "http:" && isUnread(errors) && speaksTls(server),
    says: ({ at, server }) => `${at} speaks TLS: use https://${server.host}`,
  },
  {
    is: ({ codes }) => [...codes].some((code) => code.startsWith("HPE_")),
    says: ({ at }) => `something answers at ${at} that is not a Conclave service (not HTTP); check --server`,
  },
  {
    is: ({ errors }) => errors.some(({ message }) => message.startsWith("the service offers no sealed requests")),
    says: ({ at }) =>
      `the service at ${at} answers no sealed requests, which --server-key requires; start it with --fast-open`,
  },
  {
    is: ({ hasServerKey }) => hasServerKey,
    says: ({ at }) =>
      `nobody who has the server key answers at ${at}; compare it with the one that conclave serve shows`,
  },
  {
    is: ({ errors }) => isUnread(errors),
    says: ({ at }) => `${at} takes connections and closes them without an answer; check --server`,
  },
  {
    is: ({ errors }) => errors.some(({ message }) => /^no answer within \d+ ms$/.test(message)),
    says: ({ at }) => `${at} does not answer in time; check the address, and whether a firewall is in between`,
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
