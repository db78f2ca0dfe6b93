import type { RefusalKind as AuthRefusalKind } from "@conclave/auth"
import type { DeliveryFigures, RefusalKind as DeliveryRefusalKind } from "@conclave/delivery"
import type { Answered, RefusalKind as ListenerRefusalKind, Resource, ShareLevel } from "@conclave/transport"

type RefusalKind = AuthRefusalKind | DeliveryRefusalKind | ListenerRefusalKind

/** What a server tells as it happens. Words are those of the code; nothing says who, for whom or what. */
export interface Meter {
  answered(answered: Answered): void
  refused(kind: RefusalKind, level: ShareLevel | undefined): void
  appended(kind: string, bytes: number): void
  failed(part: ServerPart): void
  /** One call of a store. `operation`: the method's name. */
  stored(call: StoreCall): void
  /** One transaction, by what was written together. */
  wrote(together: number): void
  swept(milliseconds: number, rows: number): void
}

/** Where an error came from that was nobody's answer. */
export type ServerPart = "service" | "sweep" | "listener"

export interface StoreCall {
  readonly store: "delivery" | "auth" | "blobs"
  readonly operation: string
  readonly access: "read" | "write"
  readonly milliseconds: number
  readonly isFailed: boolean
}

/** What is to be seen of a server at one moment. */
export interface Figures {
  readonly held: Readonly<Record<Resource, { readonly held: number; readonly max: number }>>
  readonly isDraining: boolean
  readonly delivery: DeliveryFigures | undefined
  /** Bytes stored, and granted; `undefined` where the store does not say so now. */
  readonly usage: { readonly bytes: number; readonly sizeMax: number } | undefined
  readonly store: StoreFigures | undefined
  /** Of the place that blobs have; the same as {@link usage} where they share it. */
  readonly blobs: Figures["usage"]
}

/** What a store tells of itself: see `Stores.figures`. */
export interface StoreFigures {
  /** Writes that have been asked for and are not settled. */
  readonly waiting: number
  readonly connections?: {
    readonly used: number
    readonly idle: number
    readonly max: number
    readonly waiting: number
  }
  readonly hints?: {
    readonly sent: number
    readonly received: number
    readonly lost: number
    readonly waiting: number
    readonly isConnected: boolean
  }
}
