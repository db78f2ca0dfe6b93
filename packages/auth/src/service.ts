import { DecodeError, encode } from "@conclave/codec"
import {
  ACCOUNT_LABEL,
  type AccountRequest,
  AccountTBS,
  type AuthRequest,
  AuthResponse,
  AuthResponseKind,
  authRequests,
  DISPLAY_NAME_LABEL,
  DisplayNameTBS,
  deviceIdOf,
  RECOVERY_SUITE,
  REGISTRATION_LABEL,
  REVOCATION_LABEL,
  REVOCATIONS_MAX,
  type Register,
  RegistrationTBS,
  RevocationTBS,
  type RevokedDevice,
  recoveryIdOf,
} from "@conclave/contracts/auth"
import { judgeDisplayName, nameFault } from "@conclave/contracts/names"
import { refusalText } from "@conclave/contracts/refusals"
import { type CryptoProvider, equalBytes } from "@conclave/crypto"
import { type CipherSuite, cipherSuite, cipherSuiteNumbers, verifyWithLabel } from "@conclave/mls"
import {
  type Handler,
  type LogOptions,
  loggedService,
  OtherVersionError,
  RateLimiter,
  type RequestContext,
  type TraceOptions,
  takeAll,
  unavailableAnswer,
} from "@conclave/transport"
import { type AuthenticationLimits, defaultLimits, networkShare } from "./limits.js"
import { ERASURE_FAULTS, recoveryKeyFault } from "./recovery.js"
import {
  accountDocument,
  erasureFault,
  judgeRecoveryKey,
  type Store,
  type StoredDevice,
  type StoredRecoveryKey,
} from "./store/store.js"

export interface AuthenticationOptions extends LogOptions, TraceOptions {
  readonly store: Store
  readonly crypto: CryptoProvider
  /** Unix time in milliseconds; default `Date.now`. */
  readonly now?: () => number
  readonly limits?: Partial<AuthenticationLimits>
  /** Is told of errors that are not a request's fault. */
  readonly onError?: (error: unknown) => void
  /** Is told of each request that a limit refuses; often, and without who it was. */
  readonly onRefusal?: (kind: RefusalKind) => void
}

/** What was refused for the sake of others, by the limit that it met. */
export type RefusalKind = "accounts" | "displayNames" | "erasures" | "recoveries" | "registrations" | "version"

/** An account's request may be signed so long before or after this service's clock. */
const CLOCK_DIFFERENCE_MAX = 5n * 60n * 1000n
/** A statement may be dated so far ahead of this service's clock; further ahead it could never be replaced. */
const CLOCK_TOLERANCE_MILLISECONDS = 86_400_000n

/**
 * The Authentication Service: a function from one request to one answer, as `@conclave/contracts/auth` declares
 * them. Whatever the bytes, the answer is an AuthResponse.
 */
export function authenticationService(options: AuthenticationOptions): Handler {
  return loggedService(options, { name: "auth", contract: authRequests, answerKind: AuthResponseKind }, (told) => {
    const service = new AuthenticationService({ ...options, ...told })
    return (bytes, context) => service.answer(bytes, context)
  })
}

/** How the Delivery Service asks which key a device has. */
export function directoryOf(store: Store) {
  return (deviceId: Uint8Array): Promise<StoredDevice | undefined> => store.lookupDevice(deviceId)
}

class AuthenticationService {
  readonly #store: Store
  readonly #crypto: CryptoProvider
  readonly #now: () => number
  readonly #limits: AuthenticationLimits
  readonly #onError: (error: unknown) => void
  readonly #suites = new Map<number, CipherSuite>()
  readonly #registrations: RateLimiter
  readonly #registrationsByRequester: RateLimiter
  readonly #registrationsByNetwork: RateLimiter
  readonly #onRefusal: (kind: RefusalKind) => void
  readonly #accounts: RateLimiter
  readonly #erasures: RateLimiter
  readonly #displayNames: RateLimiter
  readonly #recoveries: RateLimiter

  constructor({ store, crypto, now = Date.now, limits, onError, onRefusal }: AuthenticationOptions) {
    this.#store = store
    this.#crypto = crypto
    this.#now = now
    this.#limits = { ...defaultLimits, ...limits }
    this.#onError = onError ?? (() => {})
    this.#onRefusal = onRefusal ?? (() => {})
    const { registrations, registrationsByRequester } = this.#limits
    this.#registrations = new RateLimiter(registrations)
    this.#registrationsByRequester = new RateLimiter(registrationsByRequester)
    this.#registrationsByNetwork = new RateLimiter({
      perSecond: networkShare(registrationsByRequester.perSecond, registrations.perSecond),
      burst: networkShare(registrationsByRequester.burst, registrations.burst),
    })
    this.#accounts = new RateLimiter(this.#limits.accounts)
    this.#erasures = new RateLimiter(this.#limits.erasures)
    this.#displayNames = new RateLimiter(this.#limits.displayNames)
    this.#recoveries = new RateLimiter(this.#limits.recoveries)
  }

  async *answer(bytes: Uint8Array, context: RequestContext): AsyncGenerator<Uint8Array> {
    yield encode(AuthResponse, await this.#answer(bytes, context))
  }

  async #answer(bytes: Uint8Array, context: RequestContext): Promise<AuthResponse> {
    try {
      const request = authRequests.decode(bytes, { sizeMax: this.#limits.requestSizeMax })
      if (context.early && !authRequests.replaySafety[request.type].safe)
        return invalid("the request must not come early")
      return await this.#respond(request, context)
    } catch (error) {
      if (error instanceof OtherVersionError) {
        this.#onRefusal("version")
        return answerToVersion(error)
      }
      if (error instanceof DecodeError) return invalid(error.message)
      this.#onError(error)
      return unavailableAnswer(error, this.#crypto.random)
    }
  }

  async #respond(request: AuthRequest, context: RequestContext): Promise<AuthResponse> {
    switch (request.type) {
      case "register":
        return this.#register(request, context)
      case "lookup":
        return this.#lookup(request.name)
      case "lookupDevice": {
        const device = await this.#store.lookupDevice(request.deviceId)
        return device === undefined ? { type: "notFound" } : this.#devices(device.name, [device])
      }
      case "setDisplayName":
        return this.#setDisplayName(request)
      case "exportAccount":
        return (await this.#accountFault(request, "export")) ?? this.#export(request)
      case "eraseAccount":
        return (await this.#accountFault(request, "erase")) ?? this.#erase(request)
      case "revoke":
        return this.#revoke(request, context)
      case "setRecoveryKey":
        return this.#setRecoveryKey(request)
    }
  }

  async #lookup(name: string): Promise<AuthResponse> {
    const fault = nameFault(name)
    if (fault !== undefined) return invalid(`name: ${fault}`)
    return this.#devices(name, await this.#store.lookup(name))
  }

  /** A suspended name is not listed: the answer is that to a name which nobody has. */
  async #devices(name: string, devices: readonly StoredDevice[]): Promise<AuthResponse> {
    if (devices.length === 0 || devices[0]!.suspended !== undefined) return { type: "notFound" }
    const displayName = await this.#store.displayName(name)
    const signer = displayName && (await this.#store.lookupDevice(displayName.deviceId))
    return {
      type: "devices",
      name,
      devices: devices.filter(({ revoked }) => revoked === undefined),
      displayName: signer?.revoked === undefined ? displayName : undefined,
      revoked: revokedAmong(devices),
      recovery: (await this.#store.recoveryKeys(name)).map(({ statement }) => statement),
    }
  }

  async #setRecoveryKey({ name, recoveryKey: statement }: SetRecoveryKey): Promise<AuthResponse> {
    if (statement.at > BigInt(this.#now()) + CLOCK_TOLERANCE_MILLISECONDS) return invalid(refusalText("clock"))
    const devices = await this.#store.lookup(name)
    if (devices.length === 0) return { type: "notFound" }
    const present = await this.#store.recoveryKeys(name)
    const signer = this.#suiteOf(statement.signerKey, { devices, recovery: present })
    const isReplacement = present.some((it) => equalBytes(it.statement.recoveryKey, statement.signerKey))
    const fault = recoveryKeyFault(name, statement, { recovery: this.#suite(RECOVERY_SUITE)!, signer, isReplacement })
    if (fault !== undefined) return devices[0]!.suspended === undefined ? invalid(fault) : { type: "notFound" }
    // What changes nothing costs nothing: anybody repeats a statement that is shown, and any device of the name signs one.
    if (judgeRecoveryKey({ statement }, { devices, present }) === "add") {
      const wait = this.#recoveryWait(name)
      if (wait !== undefined) return wait
    }
    const sha256 = this.#crypto.hashes["SHA-256"]!
    const id = recoveryIdOf((...parts) => sha256.digest(...parts), statement.recoveryKey)
    const set = await this.#store.setRecoveryKey(name, { id, statement })
    if (set.type === "recoveryKeys") return { type: "recoveryKeys", recovery: set.keys.map((it) => it.statement) }
    if (set.type === "refused") return invalid(set.reason)
    return set.type === "suspended" ? suspended(set.reason) : set
  }

  #recoveryWait(name: string): AuthResponse | undefined {
    const retryAfterMilliseconds = this.#recoveries.take(name, this.#now())
    if (retryAfterMilliseconds === undefined) return undefined
    this.#onRefusal("recoveries")
    return { type: "throttled", retryAfterMilliseconds }
  }

  /** Of the device of the name that has the key, or of the recovery keys. */
  #suiteOf(key: Uint8Array, { devices, recovery }: Keys): CipherSuite | undefined {
    const device = devices.find(({ signatureKey }) => equalBytes(signatureKey, key))
    if (device !== undefined) return this.#suite(device.cipherSuite)
    const isRecovery = recovery.some(({ statement }) => equalBytes(statement.recoveryKey, key))
    return isRecovery ? this.#suite(RECOVERY_SUITE) : undefined
  }

  /** The recovery key of a name, if this is its id. */
  async #recoveryKey(name: string, id: Uint8Array): Promise<Uint8Array | undefined> {
    const current = (await this.#store.recoveryKeys(name)).at(-1)
    return current !== undefined && equalBytes(current.id, id) ? current.statement.recoveryKey : undefined
  }

  /** Whoever shows a statement of the name's device may bring it: it is the same for everybody. */
  async #revoke({ name, revocations, endorsements }: Revoke, { peer }: RequestContext): Promise<AuthResponse> {
    if (revocations.length === 0 || revocations.length > REVOCATIONS_MAX) {
      return invalid(`revocations: 1 to ${REVOCATIONS_MAX}`)
    }
    if (endorsements.length > REVOCATIONS_MAX) return invalid(`endorsements: at most ${REVOCATIONS_MAX}`)
    const retryAfterMilliseconds = peer && this.#registrationsByRequester.take(peer, this.#now())
    if (typeof retryAfterMilliseconds === "number") {
      this.#onRefusal("registrations")
      return { type: "throttled", retryAfterMilliseconds }
    }
    const devices = await this.#store.lookup(name)
    if (devices.length === 0) return { type: "notFound" }
    const recovery = await this.#store.recoveryKeys(name)
    for (const { signature, ...statement } of revocations) {
      if (statement.at > BigInt(this.#now()) + CLOCK_TOLERANCE_MILLISECONDS) return invalid(refusalText("clock"))
      const suite = this.#suiteOf(statement.revokerKey, { devices, recovery })
      const content = encode(RevocationTBS, { name, ...statement })
      const proof = { publicKey: statement.revokerKey, label: REVOCATION_LABEL, content, signature }
      // Whoever has no device of the name is not told of a suspension.
      if (suite === undefined || !verifyWithLabel(suite, proof)) {
        return devices[0]!.suspended === undefined ? invalid(BAD_REVOCATION) : { type: "notFound" }
      }
    }
    for (const { deviceId, endorsement } of endorsements) {
      const device = devices.find((it) => equalBytes(it.deviceId, deviceId))
      const { signature } = endorsement
      if (device === undefined || !(await this.#isEndorsedIfAtAll({ ...device, signature, endorsement }))) {
        return devices[0]!.suspended === undefined ? invalid(BAD_ENDORSEMENT) : { type: "notFound" }
      }
    }
    const revoked = await this.#store.revoke(name, { revocations, endorsements })
    switch (revoked.type) {
      case "revoked":
        return { type: "revoked", revoked: revokedAmong(revoked.devices) }
      case "refused":
        return invalid(revoked.reason)
      case "notFound":
        return revoked
      case "suspended":
        // Whoever brings a statement need not be a device of the name: it is told what a lookup tells.
        return { type: "notFound" }
    }
  }

  async #setDisplayName({ name, displayName }: SetDisplayName): Promise<AuthResponse> {
    const { text, at, deviceId, signature } = displayName
    const now = this.#now()
    const judged = text === "" ? { text } : judgeDisplayName(text)
    if (judged.text === undefined) return invalid(`text: ${judged.fault}`)
    if (judged.text !== text) return invalid(`text: its normal form is “${judged.text}”`)
    if (at > BigInt(now) + CLOCK_TOLERANCE_MILLISECONDS) return invalid(refusalText("clock"))
    const device = await this.#store.lookupDevice(deviceId)
    if (device === undefined || device.name !== name) return { type: "notFound" }
    const suite = this.#suite(device.cipherSuite)
    const content = encode(DisplayNameTBS, { name, text, at })
    const proof = { publicKey: device.signatureKey, label: DISPLAY_NAME_LABEL, content, signature }
    if (suite === undefined || !verifyWithLabel(suite, proof)) {
      return device.suspended === undefined ? invalid("signature: it is not by the device") : { type: "notFound" }
    }
    if (device.suspended !== undefined) return suspended(device.suspended)
    if (device.revoked !== undefined) return { type: "revoked", revoked: revokedAmong([device]) }
    const present = await this.#store.displayName(name)
    if (present !== undefined && present.at >= at) return { type: "displayName", displayName: present }
    const retryAfterMilliseconds = this.#displayNames.take(name, now)
    if (retryAfterMilliseconds !== undefined) {
      this.#onRefusal("displayNames")
      return { type: "throttled", retryAfterMilliseconds }
    }
    const kept = await this.#store.setDisplayName(name, displayName)
    if (!("type" in kept)) return { type: "displayName", displayName: kept }
    if (kept.type === "revoked") return { type: "revoked", revoked: revokedAmong([kept.device]) }
    return kept.type === "erased" ? { type: "notFound" } : suspended(kept.reason)
  }

  /** Whether the request is by a device of the name, and of now. */
  async #accountFault(
    { name, deviceId, at, signature }: AccountRequest,
    wish: "export" | "erase",
  ): Promise<AuthResponse | undefined> {
    const difference = at - BigInt(this.#now())
    if (difference > CLOCK_DIFFERENCE_MAX || -difference > CLOCK_DIFFERENCE_MAX) {
      return { type: "wrongTime", serviceTime: BigInt(this.#now()) }
    }
    const recoveryKey = await this.#recoveryKey(name, deviceId)
    const device = await this.#store.lookupDevice(deviceId)
    const publicKey = recoveryKey ?? device?.signatureKey
    if (publicKey === undefined) return { type: (await this.#store.isErased(deviceId)) ? "erased" : "notFound" }
    if (device !== undefined && device.name !== name) return { type: "notFound" }
    const devices = await this.#store.lookup(name)
    const [first] = devices
    if (first === undefined) return { type: "notFound" }
    const suite = this.#suite(device?.cipherSuite ?? RECOVERY_SUITE)
    const content = encode(AccountTBS, { wish, name, deviceId, at })
    if (suite === undefined || !verifyWithLabel(suite, { publicKey, label: ACCOUNT_LABEL, content, signature })) {
      return first.suspended === undefined ? invalid("signature: it is not by the device") : { type: "notFound" }
    }
    if (first.suspended !== undefined) return suspended(first.suspended)
    if (device?.revoked !== undefined) return { type: "revoked", revoked: revokedAmong([device]) }
    // Before the budget: a younger device does not use up what the oldest one may ask.
    if (wish === "erase") {
      const fault = erasureFault(devices, { deviceId, recoveryKeys: await this.#store.recoveryKeys(name) })
      if (fault !== undefined) return invalid(ERASURE_FAULTS[fault.type])
    }
    // The owner's own budget: a thief of a device uses up nothing of it.
    if (recoveryKey !== undefined) return this.#recoveryWait(name)
    const kind = wish === "export" ? ("accounts" as const) : ("erasures" as const)
    const limiter = wish === "export" ? this.#accounts : this.#erasures
    const retryAfterMilliseconds = limiter.take(name, this.#now())
    if (retryAfterMilliseconds === undefined) return undefined
    this.#onRefusal(kind)
    return { type: "throttled", retryAfterMilliseconds }
  }

  async #export({ name }: AccountRequest): Promise<AuthResponse> {
    const account = await this.#store.account(name)
    return account === undefined ? { type: "notFound" } : { type: "account", document: accountDocument(account) }
  }

  async #erase({ name, deviceId, at }: AccountRequest): Promise<AuthResponse> {
    const erased = await this.#store.erase(name, { deviceId, at })
    if (erased.type === "younger" || erased.type === "recoveryKeyNeeded") return invalid(ERASURE_FAULTS[erased.type])
    return erased.type === "suspended" ? suspended(erased.reason) : erased
  }

  async #register(request: Register, context: RequestContext): Promise<AuthResponse> {
    const fault = this.#registrationFault(request)
    if (fault !== undefined) return invalid(fault)
    const sha256 = this.#crypto.hashes["SHA-256"]!
    const deviceId = deviceIdOf((...parts) => sha256.digest(...parts), request)
    if ((await this.#store.lookupDevice(deviceId)) === undefined) {
      const retryAfterMilliseconds = this.#registrationWait(context)
      if (retryAfterMilliseconds !== undefined) {
        this.#onRefusal("registrations")
        return { type: "throttled", retryAfterMilliseconds }
      }
    }
    if (!(await this.#isEndorsedIfAtAll(request))) return invalid(BAD_ENDORSEMENT)
    const { name, cipherSuite, signatureKey, endorsement } = request
    const registered = await this.#store.register({
      name,
      deviceId,
      cipherSuite,
      signatureKey,
      at: BigInt(this.#now()),
      endorsement,
      devicesMax: this.#limits.devicesPerNameMax,
    })
    switch (registered.type) {
      case "registered":
        return registered
      case "nameTaken":
      case "erased":
        return { type: registered.type }
      case "revoked":
        return { type: "revoked", revoked: revokedAmong([registered.device]) }
      case "endorserRevoked":
        return invalid(BAD_ENDORSEMENT)
      case "otherName":
        return invalid("signatureKey: it speaks for another name")
      case "tooManyDevices":
        return invalid(refusalText("devices", this.#limits.devicesPerNameMax))
      case "tooManyToday":
        return invalid(refusalText("devicesToday"))
      case "suspended":
        return suspended(registered.reason)
    }
  }

  /** One requester who has had enough takes nothing away from the others. */
  #registrationWait({ peer, network = peer }: RequestContext): number | undefined {
    const levels = [
      { limiter: this.#registrationsByRequester, key: peer },
      { limiter: this.#registrationsByNetwork, key: network },
      { limiter: this.#registrations, key: "all" },
    ]
    return takeAll(levels, this.#now())
  }

  #registrationFault(request: Register): string | undefined {
    const fault = nameFault(request.name)
    if (fault !== undefined) return `name: ${fault}`
    const suite = this.#suite(request.cipherSuite)
    if (suite === undefined) return `cipherSuite: ${request.cipherSuite} is not supported`
    if (!suite.signature.isPublicKey(request.signatureKey)) return "signatureKey: it is no key of the cipher suite"
    return verify(suite, request.signatureKey, request) ? undefined : "signature: it is not by the key"
  }

  /** Whether the endorsement, if there is one, is by a device of the name, or by its recovery key. */
  async #isEndorsedIfAtAll(request: Register): Promise<boolean> {
    const { endorsement, name } = request
    if (endorsement === undefined) return true
    const recoveryKey = await this.#recoveryKey(name, endorsement.deviceId)
    if (recoveryKey !== undefined) {
      return verify(this.#suite(RECOVERY_SUITE)!, recoveryKey, { ...request, signature: endorsement.signature })
    }
    const endorser = await this.#store.lookupDevice(endorsement.deviceId)
    if (endorser === undefined || endorser.name !== name || endorser.revoked !== undefined) return false
    const suite = this.#suite(endorser.cipherSuite)
    const { signature } = endorsement
    return suite !== undefined && verify(suite, endorser.signatureKey, { ...request, signature })
  }

  #suite(number: number): CipherSuite | undefined {
    const known = this.#suites.get(number)
    if (known !== undefined || !cipherSuiteNumbers.includes(number)) return known
    const suite = cipherSuite(number, this.#crypto)
    this.#suites.set(number, suite)
    return suite
  }
}

const BAD_ENDORSEMENT = "endorsement: it is not by a device of the name"
const BAD_REVOCATION = "revocations: one is not by a device of the name"

function revokedAmong(devices: readonly StoredDevice[]): readonly RevokedDevice[] {
  return devices.flatMap((device) => (device.revoked === undefined ? [] : { device, ...device.revoked }))
}

const invalid = (reason: string): AuthResponse => ({ type: "invalid", reason })

/** Clients of every version show the reason of `invalid` as it is, and none would know an answer of its own. */
const suspended = (reason: string) => invalid(refusalText("suspended", reason))

/** What a version that knows no version byte can read, or the versions that are spoken. */
function answerToVersion({ isUnmarked }: OtherVersionError): AuthResponse {
  const { version } = authRequests
  return isUnmarked ? invalid(refusalText("outdated")) : { type: "update", oldest: version, newest: version }
}

interface Keys {
  readonly devices: readonly StoredDevice[]
  readonly recovery: readonly StoredRecoveryKey[]
}

type SetRecoveryKey = Extract<AuthRequest, { type: "setRecoveryKey" }>
type Revoke = Extract<AuthRequest, { type: "revoke" }>
type SetDisplayName = Extract<AuthRequest, { type: "setDisplayName" }>

function verify(suite: CipherSuite, publicKey: Uint8Array, { name, cipherSuite, signatureKey, signature }: Register) {
  const content = encode(RegistrationTBS, { name, cipherSuite, signatureKey })
  return verifyWithLabel(suite, { publicKey, label: REGISTRATION_LABEL, content, signature })
}
