import type { BlobStore } from "@conclave/delivery"
import type { Stores } from "../options.js"
import type { Meter, StoreCall } from "./meter.js"

type WriteOf<Store> = readonly (keyof Store & string)[]

const writes: { readonly [Name in StoreCall["store"]]: WriteOf<NonNullable<Stores[Name]>> } = {
  delivery: [
    ...(["createGroup", "append", "knock", "identity", "raiseIncarnation"] as const),
    ...(["publishKeyPackages", "claimKeyPackage", "acknowledgeInbox", "sweep"] as const),
  ],
  auth: ["register", "setDisplayName"],
  blobs: ["create", "put", "delete", "deleteOfGroup", "sweep"],
}

/** `stores`, of which each call is told when it is settled. */
export function timedStores<All extends Stores>(stores: All, meter: Pick<Meter, "stored">): All {
  const blobs = stores.blobs && timed<BlobStore>("blobs", stores.blobs, meter)
  const [delivery, auth] = [timed("delivery", stores.delivery, meter), timed("auth", stores.auth, meter)]
  return { ...stores, delivery, auth, blobs }
}

function timed<Store extends object>(name: StoreCall["store"], store: Store, meter: Pick<Meter, "stored">): Store {
  const wrapped = new Map<string, unknown>()
  return new Proxy(store, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target)
      if (typeof value !== "function" || typeof property !== "string") return value
      if (!wrapped.has(property)) wrapped.set(property, timedMethod({ name, property, target, meter }))
      return wrapped.get(property)
    },
  })
}

interface Timing {
  readonly name: StoreCall["store"]
  readonly property: string
  readonly target: object
  readonly meter: Pick<Meter, "stored">
}

function timedMethod({ name: store, property: operation, target, meter }: Timing) {
  const access = (writes[store] as readonly string[]).includes(operation) ? "write" : "read"
  return (...parameters: readonly unknown[]): unknown => {
    const begin = performance.now()
    const tell = (isFailed: boolean) =>
      meter.stored({ store, operation, access, milliseconds: performance.now() - begin, isFailed })
    const answer: unknown = Reflect.apply(Reflect.get(target, operation, target), target, parameters)
    // What answers at once does not wait for a disk.
    if (answer instanceof Promise) {
      answer.then(
        () => tell(false),
        () => tell(true),
      )
    }
    return answer
  }
}
