import { createHash } from "node:crypto"
import { closeSync, openSync, readFileSync, renameSync, writeSync } from "node:fs"
import { decode, encode } from "@conclave/codec"
import type { CryptoProvider } from "@conclave/crypto"
import {
  joinTransports,
  type KeptOffer,
  Offer,
  type PinnedService,
  SealedTransport,
  shareTransport,
} from "@conclave/fast-open"
import type { Transport, TransportError } from "@conclave/transport"
import { serviceAddresses } from "./addresses.js"

export interface FastOpenOptions {
  readonly provider: CryptoProvider
  /** The ordinary ways, for the services that offer no other and the networks that let none through. */
  readonly ordinary: { readonly delivery: Transport; readonly auth: Transport }
  /** `off`: the same requests over ordinary connections. */
  readonly policy: "private" | "off"
  /** 32 bytes: the service's pinned key. Its offer is then asked for its port alone. */
  readonly serverKey?: Uint8Array | undefined
  /** Where the service's keys are kept for the next process, for the owner alone. */
  readonly keptFile?: string
  readonly onFallback?: ((reason: TransportError) => void) | undefined
}

const OFFER_SIZE_MAX = 65_536
const OFFER_TIMEOUT_MILLISECONDS = 10_000

/** Ways to both services by sealed requests, for Node. They are closed together with the ordinary ones. */
export function connectFastOpen(service: string | URL, options: FastOpenOptions) {
  const { provider, ordinary, policy, serverKey, keptFile, onFallback } = options
  const { fastOpen } = serviceAddresses(service)
  // Without TLS nothing but the pinned key tells the service from somebody in between: there is no way around it then.
  const isForced = serverKey !== undefined && fastOpen.protocol !== "https:"
  const sealed = new SealedTransport({
    provider,
    policy,
    service: () => findService(fastOpen, serverKey),
    ...(!isForced && { fallback: joinTransports(ordinary) }),
    ...(onFallback && { onFallback }),
    ...(keptFile !== undefined && { kept: keptIn(keptFile, { fastOpen, serverKey }) }),
  })
  return shareTransport(sealed, ["delivery", "auth"])
}

async function findService(url: URL, publicKey: Uint8Array | undefined): Promise<Uint8Array | PinnedService> {
  const offer = decode(Offer, await fetchOffer(url), { sizeMax: OFFER_SIZE_MAX })
  const asked = url.hostname.replace(/^\[|\]$/g, "")
  const host = offer.host === "" ? asked : offer.host
  // Over plain HTTP anybody in between answers: that one does not send this client to whom it likes.
  if (host !== asked && url.protocol !== "https:") throw new Error("an offer that was not had over TLS leads elsewhere")
  return publicKey === undefined ? encode(Offer, { ...offer, host }) : { host, port: offer.port, publicKey }
}

async function fetchOffer(url: URL): Promise<Uint8Array> {
  const signal = AbortSignal.timeout(OFFER_TIMEOUT_MILLISECONDS)
  const response = await fetch(url, { signal, cache: "no-store", credentials: "omit", redirect: "error" })
  if (response.status !== 200 || response.body === null) {
    await response.body?.cancel()
    throw new Error(`the service offers no sealed requests (${response.status})`)
  }
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of response.body as AsyncIterable<Uint8Array>) {
    size += part.length
    if (size > OFFER_SIZE_MAX) throw new Error("the service's offer is too long")
    parts.push(part)
  }
  return Uint8Array.from(Buffer.concat(parts))
}

/** Keys of another service, or learnt without the pinned key, are not those that were asked for. */
function keptIn(file: string, known: { fastOpen: URL; serverKey: Uint8Array | undefined }): KeptOffer {
  const origin = createHash("sha256")
    .update(`${known.fastOpen.href}\n`)
    .update(known.serverKey ?? "")
    .digest()
  return {
    load() {
      try {
        const content = readFileSync(file)
        if (!content.subarray(0, origin.length).equals(origin)) return undefined
        return Uint8Array.from(content.subarray(origin.length))
      } catch {
        return undefined
      }
    },
    save(offer) {
      try {
        const descriptor = openSync(`${file}.new`, "w", 0o600)
        try {
          writeSync(descriptor, Buffer.concat([origin, offer]))
        } finally {
          closeSync(descriptor)
        }
        renameSync(`${file}.new`, file)
      } catch {
        // It would have saved the next process a round trip.
      }
    },
  }
}
