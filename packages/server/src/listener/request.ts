import type { IncomingMessage, ServerResponse } from "node:http"
import type { Handler, RequestContext } from "@conclave/transport"
import { CHUNK_COST, Holding, readingTime } from "@conclave/transport/parts"
import { requesterOf } from "./peer.js"
import type { Serving } from "./serving.js"
import { sendText } from "./text.js"

/** What a page of another origin may send without asking first: https://fetch.spec.whatwg.org/#cors-safelisted-request-header. */
const safelisted = ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"]

/** The media types of requests that are taken. @throws {TypeError} for one that any page may send. */
export function mediaTypesOf(further: readonly string[] = []): ReadonlySet<string> {
  const types = ["application/octet-stream", ...further].map((type) => type.toLowerCase())
  const open = types.find((type) => safelisted.includes(type))
  if (open !== undefined) throw new TypeError(`a page of any origin may send ${open}`)
  return new Set(types)
}

const BODY_TAKEN =
  "the body of the request was read before it came to Conclave: " +
  "mount Conclave before express.json() and other body parsers, or let them leave application/octet-stream alone"

/** One POST to a service: the first of its responses is the answer. */
export async function answerRequest(
  request: IncomingMessage,
  response: ServerResponse,
  serving: Serving & { readonly service: Handler },
): Promise<void> {
  if (request.method !== "POST") {
    response.setHeader("allow", "POST")
    return sendText(response, 405, "a service is asked by POST")
  }
  // A page of another origin cannot send these types without asking first, and it is not allowed to.
  const mediaType = (request.headers["content-type"] ?? "").split(";", 1)[0]!.trim().toLowerCase()
  if (!serving.mediaTypes.has(mediaType)) {
    return sendText(response, 415, "a request to a service is application/octet-stream")
  }
  const { requestSizeMax } = serving.limits
  // Asked for first: a connection that is gone has no address.
  const holding = new Holding(serving.shares, requesterOf(request, serving.proxies))
  response.once("close", () => holding[Symbol.dispose]())
  const body = await readBody(request, requestSizeMax, holding)
  if (body === "tooLarge") return sendText(response, 413, `a request has at most ${requestSizeMax} bytes`)
  if (body === "tooMuch") return sendText(response, 503, "too many bytes of requests of one network, or of all")
  if (body === "broken") return void response.destroy()
  if (body === "taken") {
    serving.onError(new Error(BODY_TAKEN))
    return sendText(response, 500, BODY_TAKEN)
  }
  await answer(body, response, { ...serving, holding })
}

async function answer(
  body: Uint8Array,
  response: ServerResponse,
  serving: Serving & { readonly service: Handler; readonly holding: Holding },
): Promise<void> {
  const gone = new AbortController()
  const leave = () => gone.abort()
  response.once("close", leave)
  let late = false
  const timer = setTimeout(() => {
    late = true
    gone.abort()
  }, serving.limits.answerTimeoutMilliseconds)
  try {
    const first = await firstAnswer(serving.service, body, {
      signal: gone.signal,
      early: false,
      way: "http",
      ...serving.holding.requester,
    })
    if (first === undefined) {
      return sendText(response, 503, late ? "the service took too long" : "the service gave no answer")
    }
    if (!mayAnswer(response, first.length, serving)) {
      return sendText(response, 503, "too many answers of one network, or of all, are not read")
    }
    response.writeHead(200, {
      "content-type": "application/octet-stream",
      "content-length": first.length,
      "cache-control": "no-store",
    })
    response.end(first)
  } finally {
    clearTimeout(timer)
    response.off("close", leave)
    gone.abort()
  }
}

/** What of an answer that comes from a file is in memory at a time, in Node's streams and the system's. */
const STREAMED_SIZE = 128 * 1024

/** {@link mayAnswer} for `size` bytes that are read as they are sent. */
export function mayStream(
  request: IncomingMessage,
  response: ServerResponse,
  { size, ...serving }: Serving & { readonly size: number },
): boolean {
  const holding = new Holding(serving.shares, requesterOf(request, serving.proxies))
  response.once("close", () => holding[Symbol.dispose]())
  return mayAnswer(response, size, { ...serving, holding, inMemory: Math.min(size, STREAMED_SIZE) })
}

interface Answering {
  readonly holding: Holding
  readonly limits: Serving["limits"]
  readonly inMemory?: number
}

/** Counts an answer of `size` bytes until it is read, and cuts a client that does not. */
function mayAnswer(response: ServerResponse, size: number, { holding, limits, inMemory = size }: Answering): boolean {
  if (!holding.take("unsent", inMemory + CHUNK_COST)) return false
  const timer = setTimeout(
    () => {
      holding.refused("unread")
      response.destroy()
    },
    readingTime(size, limits.unreadTimeoutMilliseconds),
  )
  response.once("close", () => clearTimeout(timer))
  return true
}

/** `undefined` where the service ends without an answer, or the signal is aborted before there is one. */
async function firstAnswer(
  service: Handler,
  body: Uint8Array,
  context: RequestContext,
): Promise<Uint8Array | undefined> {
  const { signal } = context
  const answers = service(body, context)[Symbol.asyncIterator]()
  const aborted = new Promise<undefined>((resolve) => {
    signal.addEventListener("abort", () => resolve(undefined), { once: true })
  })
  const next = await Promise.race([answers.next(), aborted])
  // Not awaited: the answer is known, and a stream ends when its signal is aborted.
  answers.return?.().catch(() => {})
  return next === undefined || next.done ? undefined : next.value
}

async function readBody(
  request: IncomingMessage,
  sizeMax: number,
  holding: Holding,
): Promise<Uint8Array | "tooLarge" | "tooMuch" | "broken" | "taken"> {
  if (Number(request.headers["content-length"] ?? 0) > sizeMax) return "tooLarge"
  if (request.readableDidRead) return bodyReadBefore(request, sizeMax, holding)
  const parts: Buffer[] = []
  let size = 0
  try {
    for await (const part of request as AsyncIterable<Buffer>) {
      size += part.length
      if (size > sizeMax) return "tooLarge"
      if (!holding.take("received", part.length + CHUNK_COST)) return "tooMuch"
      parts.push(part)
    }
  } catch {
    return "broken"
  }
  return Buffer.concat(parts, size)
}

/** What a parser of raw bodies, `express.raw()` for one, has left in the usual place. */
function bodyReadBefore(
  request: IncomingMessage,
  sizeMax: number,
  holding: Holding,
): Uint8Array | "tooLarge" | "tooMuch" | "taken" {
  const { body } = request as { readonly body?: unknown }
  if (!(body instanceof Uint8Array)) return "taken"
  if (body.length > sizeMax) return "tooLarge"
  return holding.take("received", body.length + CHUNK_COST) ? body : "tooMuch"
}
