/// <reference lib="esnext.disposable" preserve="true" />
import type { AuthenticationLimits, RefusalKind as AuthRefusalKind, Store as AuthStore } from "@conclave/auth"
import type { CryptoProvider } from "@conclave/crypto"
import type {
  BlobStore,
  DeliveryLimits,
  RefusalKind as DeliveryRefusalKind,
  Store as DeliveryStore,
  PushSender,
  PushStore,
  Wake,
} from "@conclave/delivery"
import type { SealedServer, ServerKeys } from "@conclave/fast-open"
import type { Handler, Refusal as ListenerRefusal, LogOptions, Shares, TraceOptions } from "@conclave/transport"
import type { OriginOptions } from "./listener/origins.js"
import type { ListenLimits } from "./listener/serving.js"
import type { TurnedAway } from "./listener/turned-away.js"
import type { StoreFigures } from "./metrics/meter.js"
import type { Metrics } from "./metrics/metrics.js"

/** What keeps the data of both services. */
export interface Stores extends Partial<AsyncDisposable> {
  readonly delivery: DeliveryStore
  readonly auth: AuthStore
  /** Default: none are kept. */
  readonly blobs?: BlobStore | undefined
  /** Default: nobody is woken. */
  readonly pushes?: PushStore | undefined
  /** Hints of what other processes have written to the same stores. Default: this process alone. */
  readonly wake?: Wake
  /** What is to be seen of them at the moment, for metrics. */
  readonly figures?: () => StoreFigures
}

/** Where the servers of one service keep what they share, and how they tell each other of it. */
export interface DatabasePlace {
  /** `postgres://user:password@host:port/database?sslmode=verify-full`. */
  readonly url: string
  /** Connections of this process, at most; default 10, at least 2; and one more for hints. */
  readonly connections?: number
  /** The schema in which the tables are; made where it is not there. Default `conclave`. */
  readonly schema?: string
  /** `nats://host:port` of servers that carry the hints. Default: the database does (NOTIFY). */
  readonly nats?: string | readonly string[] | undefined
  /** Is told when hints from other servers do not come any longer: what they write is found by looking, within seconds. */
  readonly onHintsLost?: (error: Error) => void
  /** And when they come again. */
  readonly onHintsRegained?: () => void
}

/** Both services, as functions from a request to its answers. */
export interface Services {
  readonly delivery: Handler
  readonly auth: Handler
}

export type ServiceRefusalKind = AuthRefusalKind | DeliveryRefusalKind

/** Something that was refused, by a listener or by a service. */
export type Refusal = ListenerRefusal | { readonly kind: ServiceRefusalKind }

export interface ServerOptions extends Omit<LogOptions, "ended">, TraceOptions, OriginOptions {
  /** The SQLite file of both services, or `:memory:`. Either this, {@link database} or {@link stores}. */
  readonly file?: string
  /** The PostgreSQL database of both services, which any number of servers share. */
  readonly database?: DatabasePlace
  /** Stores that are there already. They are disposed at the end where they can be: the object, not its members. */
  readonly stores?: Stores
  /** A folder whose files are served beside the services: the page. */
  readonly page?: string | undefined
  /**
   * The path that {@link Conclave.handler} and {@link Conclave.upgrade} answer beneath, as clients see it. Default `/`.
   * Give it even where a framework takes it off (`app.use("/conclave", …)`): upgrades do not pass through frameworks.
   */
  readonly mount?: string
  readonly limits?: ServerLimits
  /** The most that {@link file} or {@link database} may take on the disk, in bytes; default no limit. Limits of groups follow. */
  readonly quota?: number | undefined
  /**
   * Whether blobs are kept, default `true`: beside {@link file}, in `<file>.blobs`, which may take as much again as
   * {@link quota} says; in {@link database}, within the same quota.
   */
  readonly keepsBlobs?: boolean | undefined
  /** Wakes clients that are not connected. Default: nobody is woken, and the service calls no address that a client names. */
  readonly pushSender?: PushSender | undefined
  /** How many days messages are kept, default 30; all else follows from it, see `retentionOf`. */
  readonly retentionDays?: number | undefined
  /** Proxies whose `X-Forwarded-For` is believed: addresses and networks (`10.0.0.0/8`). */
  readonly trustedProxies?: readonly string[] | undefined
  /** Is told once that requests come through a proxy that is not among these. */
  readonly onUntrustedProxy?: () => void
  /** Is told of what settings turn away: once for each reason, origin and host; of each reason 64 at once, and one a minute. */
  readonly onTurnedAway?: (turnedAway: TurnedAway) => void
  /**
   * Names that {@link Conclave.handler} and {@link Conclave.upgrade} answer to, beside those of this machine; requests
   * under others get 421. Default `any`: the application's server decides. {@link Conclave.listen} has its own.
   */
  readonly hosts?: readonly string[] | "any"
  /** Answer sealed requests too, at a port of their own. Loads `@conclave/fast-open`. */
  readonly fastOpen?: FastOpenOptions | undefined
  /** What a requester, and all, may hold. Give one object to servers that are to share. Default: its own. */
  readonly shares?: Shares
  /** Is told of what is nobody's answer: a full disk, a damaged file, a body that was read too early. */
  readonly onError?: (error: unknown) => void
  /** Is told of each refusal; it is called as often as an attacker likes and must be cheap. */
  readonly onRefusal?: (refusal: Refusal) => void
  /** Made by `createMetrics` for this server alone. Default: nothing is measured. */
  readonly metrics?: Metrics | undefined
  /**
   * What answers in place of the services: for looking at a request first. Called once for each way by which requests
   * come, HTTP and WebSockets being one.
   */
  readonly wrap?: (services: Services, way: "http" | "sealed") => Services
  /** Default: Node's own cryptography, and with it the system's randomness. */
  readonly crypto?: CryptoProvider
  /** Unix time in milliseconds; default `Date.now`. */
  readonly now?: () => number
}

export interface ServerLimits {
  readonly listener?: Partial<ListenLimits>
  readonly delivery?: Partial<DeliveryLimits>
  readonly auth?: Partial<AuthenticationLimits>
}

export interface FastOpenOptions {
  /** Default `localhost`. */
  readonly host?: string
  /** Default 0: any that is free. */
  readonly port?: number
  /** `off`: over ordinary connections, without data in the first packet. Default `private`. */
  readonly policy?: "private" | "off"
  /** Default: keys of its own, that nobody else has. */
  readonly keys?: ServerKeys
  /** Keys, address tokens and strike register that all servers on {@link ServerOptions.database} share, in place of `keys`. */
  readonly shared?: SharedSealing
  /** The name or address that clients are to connect to. Default: the one by which they have reached HTTP. */
  readonly name?: string
}

export interface SharedSealing {
  /** 32 random bytes, the same at every server. The database has the keys sealed under it, and never the secret itself. */
  readonly secret: Uint8Array
  /** Is told that the register does not answer: until it does, every request takes a round trip more. */
  readonly onRegisterLost?: (error: Error) => void
  readonly onRegisterRegained?: () => void
  /** Is told that the keys could not be looked at: those that are here go on until their time is over. */
  readonly onKeysLost?: (error: unknown) => void
}

/** What answers sealed requests, and its port. */
export interface FastOpenServer {
  readonly server: SealedServer
  readonly port: number
  /** 32 bytes: what clients may be given to know the service by. Where the keys are {@link FastOpenOptions.shared}. */
  readonly publicKey?: Uint8Array
}
