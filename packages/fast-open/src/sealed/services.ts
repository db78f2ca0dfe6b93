import type { Handler, Transport } from "@conclave/transport"

/*
 * Several services behind one listener. Each request begins with the name of the service that it is for:
 *
 *   uint8 length │ name in UTF-8 │ the service's own request
 */

export interface SealedService {
  readonly handler: Handler
  /** Whether a request may run from a first flight: what its contract says. */
  readonly mayRunEarly: (request: Uint8Array) => boolean
}

/** What a `SealedServer` needs to answer for all of them. A service that is not there gives no answer. */
export function serveAll(services: Readonly<Record<string, SealedService>>): SealedService {
  const find = (body: Uint8Array) => {
    const { name, request } = takeName(body)
    return { service: Object.hasOwn(services, name) ? services[name] : undefined, request }
  }
  return {
    async *handler(body, context) {
      const { service, request } = find(body)
      if (service !== undefined) yield* service.handler(request, context)
    },
    mayRunEarly(body) {
      const { service, request } = find(body)
      return service?.mayRunEarly(request) ?? false
    },
  }
}

/** The other end: a way to each of the named services. `transport` is closed with the last of them. */
export function shareTransport<Name extends string>(
  transport: Transport,
  names: readonly Name[],
): Readonly<Record<Name, Transport>> {
  const open = new Set<string>(names)
  const wayTo = (name: Name): Transport => ({
    request: (body, options) => transport.request(putName(name, body), options),
    subscribe: (body, options) => transport.subscribe(putName(name, body), options),
    async [Symbol.asyncDispose]() {
      if (open.delete(name) && open.size === 0) await transport[Symbol.asyncDispose]()
    },
  })
  return Object.fromEntries(names.map((name) => [name, wayTo(name)])) as Record<Name, Transport>
}

/** Ways that know their service, for whoever puts names in front: the fallback of a shared transport. */
export function joinTransports(transports: Readonly<Record<string, Transport>>): Transport {
  const find = (body: Uint8Array) => {
    const { name, request } = takeName(body)
    if (!Object.hasOwn(transports, name)) throw new TypeError("there is no way to this service")
    return { transport: transports[name]!, request }
  }
  return {
    async request(body, options) {
      const { transport, request } = find(body)
      return transport.request(request, withoutReplay(options))
    },
    async *subscribe(body, options) {
      const { transport, request } = find(body)
      yield* transport.subscribe(request, withoutReplay(options))
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(Object.values(transports).map((transport) => transport[Symbol.asyncDispose]()))
    },
  }
}

const withoutReplay = ({ signal }: { readonly signal?: AbortSignal } = {}) => (signal === undefined ? {} : { signal })

/** A name in front changes nothing of what a copy does: the type goes on. */
function putName<Body extends Uint8Array>(name: string, body: Body): Body {
  const encoded = new TextEncoder().encode(name)
  const named = new Uint8Array(1 + encoded.length + body.length)
  named[0] = encoded.length
  named.set(encoded, 1)
  named.set(body, 1 + encoded.length)
  return named as unknown as Body
}

function takeName(body: Uint8Array): { readonly name: string; readonly request: Uint8Array } {
  const end = 1 + (body[0] ?? 0)
  return { name: new TextDecoder().decode(body.subarray(1, end)), request: body.subarray(end) }
}
