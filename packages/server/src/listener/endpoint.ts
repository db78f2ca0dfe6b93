import type { IncomingMessage, ServerResponse } from "node:http"
import type { Socket } from "node:net"
import type { Handler } from "@conclave/transport"
import { isHealthPath } from "./health.js"
import type { Hosts } from "./hosts.js"
import { answerOffer } from "./offer.js"
import { pause } from "./pause.js"
import { requesterOf, seemsForwarded } from "./peer.js"
import { answerRequest, mayStream } from "./request.js"
import type { Common, Serving } from "./serving.js"
import { SOCKET_PATH, SocketListener } from "./socket.js"
import { answerPlain, wasHandshake } from "./socket-answer.js"
import { contentSecurity, sendText } from "./text.js"

const OFFER_PATH = "/fast-open"

/** A request to answer. */
export interface Asked {
  /** Without its query, and beneath where the endpoint is mounted. */
  readonly path: string
  /** The path as it came, where it is that of the page but for the slash at its end. */
  readonly slashless?: string | undefined
  /** Answers in place of 404 where there is no file at the path. */
  readonly otherwise?: (() => void) | undefined
}

/** Answers the requests of one HTTP server: a listener's, or an application's that passes them on. */
export class Endpoint {
  readonly #serving: Serving
  readonly #sockets: SocketListener
  readonly #draining = new AbortController()
  readonly #closing = new AbortController()
  /** Answers that are not finished. */
  readonly #answering = new Set<ServerResponse>()
  #onIdle = () => {}
  #drained: Promise<void> | undefined
  #closed: Promise<void> | undefined

  constructor(common: Common, hosts: Hosts) {
    this.#serving = { ...common, hosts, draining: this.#draining.signal, closing: this.#closing.signal }
    this.#sockets = new SocketListener(this.#serving)
  }

  /** Whether {@link answer} has something to say to such a request. A file may turn out not to be there. */
  knows({ method }: Pick<IncomingMessage, "method">, path: string): boolean {
    if (this.#isOwn(path)) return true
    return this.#serving.files !== undefined && (method === "GET" || method === "HEAD")
  }

  answer(request: IncomingMessage, response: ServerResponse, asked: Asked): void {
    // What comes after the end is refused at once: waiting for those, too, might never end.
    if (!this.#closing.signal.aborted) this.#answering.add(response)
    response.once("close", () => this.#forget(response))
    this.#route(request, response, asked).catch((error: unknown) => {
      this.#serving.onError(error)
      sendText(response, 500, "the server failed; it is not the request's fault")
    })
  }

  upgrade(request: IncomingMessage, socket: Socket, head: Buffer, path: string): void {
    this.#sockets.upgrade(request, socket, head, path)
  }

  /**
   * Says at once that it is not ready, takes no more sockets, and goes on answering requests. A quarter of the time is for
   * those in front to notice; over the next half the sockets are closed, with 1001. Resolves when there is none left, or when
   * the time is over, or the endpoint closes.
   */
  drain(milliseconds: number): Promise<void> {
    this.#drained ??= this.#drain(milliseconds)
    return this.#drained
  }

  async #drain(milliseconds: number): Promise<void> {
    const { closing } = this.#serving
    this.#draining.abort()
    await pause(milliseconds / 4, closing)
    await this.#sockets.handOver(milliseconds / 2)
    await Promise.race([this.#sockets.empty(), pause(milliseconds / 4, closing)])
  }

  /** Refuses what comes from here on, ends streams, and waits for answers that are under way. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.#closing.abort()
    this.#sockets.close()
    const timer = setTimeout(() => {
      this.#sockets.terminate()
      for (const response of this.#answering) response.destroy()
    }, this.#serving.limits.closeTimeoutMilliseconds)
    await this.#idle()
    await this.#sockets.end()
    clearTimeout(timer)
  }

  async #idle(): Promise<void> {
    while (this.#answering.size > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve
      })
    }
  }

  async #route(request: IncomingMessage, response: ServerResponse, asked: Asked): Promise<void> {
    const { path, otherwise } = asked
    const serving = this.#serving
    const service = this.#service(path)
    if (otherwise !== undefined && !this.#isOwn(path) && (await serving.files?.find(path)) === undefined) {
      this.#forget(response)
      return otherwise()
    }
    for (const [name, value] of contentSecurity) response.setHeader(name, value)
    const requester = requesterOf(request, serving.proxies)
    const unknown = serving.hosts.refuse(request.headers.host)
    if (unknown !== undefined) {
      serving.shares.refused("host", requester)
      serving.turnedAway("host", request)
      return sendText(response, 421, unknown)
    }
    if (!serving.proxies.any && seemsForwarded(request)) serving.hint()
    const closing = serving.closing.aborted
    const draining = serving.draining.aborted
    // Whoever keeps the connection would ask here again.
    if (draining) response.setHeader("connection", "close")
    const leaving = closing || draining
    if (isHealthPath(path)) return serving.health.answer(request, response, { path, requester, leaving })
    if (closing || (draining && path === SOCKET_PATH)) return sendText(response, 503, "the server is closing")
    if (service !== undefined) {
      if (this.#answerPreflight(request, response)) return
      return answerRequest(request, response, { ...serving, service })
    }
    if (path === SOCKET_PATH) {
      if (wasHandshake(request)) serving.turnedAway("upgrade", request)
      return answerPlain(request, response, serving.origins)
    }
    if (path === OFFER_PATH && serving.offer !== undefined) {
      return answerOffer(request, response, { ...serving, offer: serving.offer })
    }
    return this.#answerFile(request, response, asked)
  }

  /** Answers a browser that asks, for a page of another origin, whether it may send a request; and allows reading. */
  #answerPreflight(request: IncomingMessage, response: ServerResponse): boolean {
    const { origins, turnedAway, shares, proxies } = this.#serving
    const { origin } = request.headers
    for (const [name, value] of Object.entries(origins.cors(origin))) response.setHeader(name, value)
    const isPreflight = request.method === "OPTIONS" && request.headers["access-control-request-method"] !== undefined
    if (!isPreflight || origin === undefined) return false
    const allowed = origins.preflight(origin)
    if (allowed === undefined) {
      shares.refused("origin", requesterOf(request, proxies))
      turnedAway("origin", request)
      return false
    }
    response.writeHead(204, allowed).end()
    return true
  }

  /** Whether something else than a file is at `path`. */
  #isOwn(path: string): boolean {
    const { offer } = this.#serving
    return (
      this.#service(path) !== undefined ||
      path === SOCKET_PATH ||
      isHealthPath(path) ||
      (path === OFFER_PATH && offer !== undefined)
    )
  }

  #service(path: string): Handler | undefined {
    const { services } = this.#serving
    return Object.hasOwn(services, path.slice(1)) ? services[path.slice(1)] : undefined
  }

  async #answerFile(request: IncomingMessage, response: ServerResponse, { path, slashless }: Asked): Promise<void> {
    const { files } = this.#serving
    if (files === undefined) return sendText(response, 404, "there is nothing at this path")
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.setHeader("allow", "GET, HEAD")
      return sendText(response, 405, "a file is asked for by GET")
    }
    if (slashless !== undefined) {
      // Relative: what stands before it on the way here is not known.
      response.setHeader("location", `${slashless.split("/").at(-1)}/`)
      return sendText(response, 308, "the page is at this path with a slash at its end")
    }
    const file = await files.find(path)
    if (file === undefined) return sendText(response, 404, "there is nothing at this path")
    const mayAnswer = (size: number) => mayStream(request, response, { ...this.#serving, size })
    return files.send(request, response, { file, mayAnswer })
  }

  #forget(response: ServerResponse): void {
    this.#answering.delete(response)
    if (this.#answering.size === 0) this.#onIdle()
  }
}
