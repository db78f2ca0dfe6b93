import type { DeliveryFigures } from "@conclave/delivery"
import type { Resource, Shares } from "@conclave/transport"
import type { Refusal, ServerOptions, Stores } from "../options.js"
import type { Figures, Meter, ServerPart } from "./meter.js"

/** `options`, whose callbacks tell the meter, too. */
export function metered(options: ServerOptions, meter: Meter): ServerOptions {
  return {
    ...options,
    onAnswered(answered) {
      meter.answered(answered)
      options.onAnswered?.(answered)
    },
    onRefusal(refusal: Refusal) {
      meter.refused(refusal.kind, "level" in refusal ? refusal.level : undefined)
      options.onRefusal?.(refusal)
    },
  }
}

/** Of one part of a server, whose errors go to `onError`. */
export function countingErrors(
  part: ServerPart,
  { metrics, onError }: Pick<ServerOptions, "metrics" | "onError">,
): (error: unknown) => void {
  return (error) => {
    metrics?.meter.failed(part)
    onError?.(error)
  }
}

export interface Watched {
  readonly shares: Shares
  readonly stores: Stores
  readonly phase: { readonly isDraining: boolean }
  readonly delivery: (() => DeliveryFigures) | undefined
}

/** How the parts of a server are just now. */
export function figuresOf({ shares, stores, phase, delivery }: Watched): Figures {
  const resources = Object.keys(shares.limits) as Resource[]
  const held = resources.map((it) => [it, { held: shares.held(it), max: shares.limits[it].all }])
  return {
    held: Object.fromEntries(held),
    isDraining: phase.isDraining,
    delivery: delivery?.(),
    usage: usageOf(stores),
    store: stores.figures?.(),
    blobs: stores.blobs && usageOf({ delivery: stores.blobs }),
  }
}

/** A store that is closed, or whose tables are too new, says nothing. */
function usageOf({ delivery }: { readonly delivery: Pick<Stores["delivery"], "usage"> }): Figures["usage"] {
  try {
    return delivery.usage()
  } catch {
    return undefined
  }
}
