/// <reference lib="esnext.disposable" preserve="true" />
import { authenticationService, directoryOf } from "@conclave/auth"
import type { CryptoProvider } from "@conclave/crypto"
import { type DeliveryFigures, deliveryService, limitsForQuota, retentionOf, startSweeping } from "@conclave/delivery"
import { countingErrors } from "./metrics/metering.js"
import type { ServerOptions, ServiceRefusalKind, Services, Stores } from "./options.js"

interface Composing extends ServerOptions {
  readonly crypto: CryptoProvider
  /** When aborted, what is counted for the log is logged. */
  readonly ended: AbortSignal
  readonly onFigures: (figures: () => DeliveryFigures) => void
}

/** Both services on `stores`. */
export function servicesOn(stores: Stores, options: Composing): Services {
  const { crypto, quota, retentionDays, limits, now, logger, slowMilliseconds, ended, metrics, onFigures } = options
  const shared = {
    crypto,
    logger,
    slowMilliseconds,
    ended,
    ...(now && { now }),
    onAnswered: options.onAnswered,
    onError: countingErrors("service", options),
    onRefusal: (kind: ServiceRefusalKind) => options.onRefusal?.({ kind }),
  }
  return {
    auth: authenticationService({ ...shared, store: stores.auth, ...(limits?.auth && { limits: limits.auth }) }),
    delivery: deliveryService({
      ...shared,
      store: stores.delivery,
      blobs: stores.blobs,
      pushes: stores.pushes,
      pushSender: options.pushSender,
      directory: directoryOf(stores.auth),
      retention: retentionOf(retentionDays),
      ...(stores.wake && { wake: stores.wake }),
      ...(metrics && { onAppended: metrics.meter.appended, onFigures }),
      limits: { ...(quota !== undefined && limitsForQuota(quota, retentionDays)), ...limits?.delivery },
    }),
  }
}

/** Deletes what has expired, until it is disposed. */
export function sweepingOf(stores: Stores, { retentionDays, now, onError, metrics }: ServerOptions): AsyncDisposable {
  return startSweeping({
    store: stores.delivery,
    blobs: stores.blobs,
    pushes: stores.pushes,
    retention: retentionOf(retentionDays),
    ...(now && { now }),
    ...(onError && { onError }),
    ...(metrics && { onSwept: metrics.meter.swept }),
  })
}

/** Whether both stores answer. What is asked for is nobody's: 32 bytes of zero. */
export async function storesAnswer({ delivery, auth }: Stores): Promise<boolean> {
  const nobodys = { groupId: new Uint8Array(32), key: undefined, permit: () => undefined }
  await Promise.all([delivery.head(nobodys), auth.lookupDevice(new Uint8Array(32))])
  return true
}
