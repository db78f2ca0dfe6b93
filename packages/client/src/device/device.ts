/// <reference lib="esnext.disposable" preserve="true" />
import { BlobsOnDemand } from "../blobs/on-demand.js"
import { copyBytes, fromHex, hex } from "../bytes.js"
import type { Client, ClientOptions, ClientPolicy, OwnDevice, PersonDevice, Signal } from "../client.js"
import type { step } from "../conversation/step.js"
import type { Conversation } from "../conversation.js"
import { faultOf } from "../diagnostics/faults.js"
import type { Log } from "../diagnostics/log.js"
import { ClientError, requireUnavailable } from "../errors.js"
import type { ClientEvent } from "../events.js"
import { keyCodeOf } from "../identity/codes.js"
import type { Identity } from "../identity/identity.js"
import { requireName } from "../identity/names.js"
import type { OwnDevices } from "../identity/own-devices.js"
import type { People } from "../identity/people.js"
import { Stock } from "../identity/stock.js"
import { type Journal, openJournal } from "../journal/journal.js"
import { Transactions } from "../journal/transactions.js"
import { type Line, notLive } from "../line.js"
import { type NewEvent, type Profile, recordKeys } from "../records/records.js"
import { ServiceClock } from "../service/clock.js"
import { Delivery } from "../service/delivery.js"
import type { Directory } from "../service/directory.js"
import type { Patience, Waiting } from "../service/patience.js"
import type { Slicing } from "../slices.js"
import type { SealedStore } from "../store/sealed.js"
import type { Timers } from "../timers.js"
import { Account } from "./account.js"
import { Attention } from "./attention.js"
import { Copies } from "./copies.js"
import { createConversation } from "./creation.js"
import { defaultPolicy } from "./default-policy.js"
import type { Means } from "./driver.js"
import { groupOptionsOf } from "./group-options.js"
import { ConversationHandle } from "./handle.js"
import { Inbox } from "./inbox.js"
import { introduce, type Starting } from "./introducing.js"
import { defaultInvitationLimits, Invitations } from "./invitations.js"
import { devicesOf, knowing, requireSpeaking, requireUnrevoked } from "./knowing.js"
import { observing } from "./observing.js"
import { Recovering } from "./recovering.js"
import { Renewals } from "./renewals.js"
import { restartConversation } from "./restarting.js"
import type { Revoking } from "./revoking.js"
import { Runner } from "./runner.js"
import { ServiceKeys } from "./service-keys.js"
import { SignalListeners } from "./signal-listeners.js"
import { Signals } from "./signals.js"
import { Stream } from "./stream.js"

export interface DeviceOptions extends Omit<ClientOptions, "store" | "recovery"> {
  readonly timers: Timers
  readonly step: typeof step
  readonly slicing: Slicing
  readonly random: (length: number) => Uint8Array
  readonly store: SealedStore
  readonly directory: Directory
  readonly patience: Patience
  readonly identity: Identity
  readonly profile: Profile
  readonly log: Log
}

/** The client itself: one device of one person. */
export class Device implements Client {
  readonly conversations = new Map<string, Conversation>()
  readonly #options: DeviceOptions
  readonly #policy: ClientPolicy
  readonly #means: Omit<Means, "onFault">
  readonly #people: People
  readonly #closing = new AbortController()
  readonly #begun: number
  readonly #inbox: Runner
  readonly #keyPackages: Stock
  readonly #stock: Runner
  readonly #account: Account
  readonly #revoking: Revoking
  readonly recovery: Recovering
  readonly #ownDevices: OwnDevices
  readonly #watch: Runner
  readonly #groups = new Map<string, ConversationHandle>()
  readonly blobs: BlobsOnDemand
  readonly #signalListeners: SignalListeners
  #journal: Journal | undefined
  #stream: Stream | undefined
  #ending: Promise<void> | undefined
  #resolveClosed: (reason: Error | undefined) => void = () => {}
  readonly closed = new Promise<Error | undefined>((resolve) => {
    this.#resolveClosed = resolve
  })

  constructor(options: DeviceOptions) {
    const { store, directory, identity, random, profile, patience, timers, step, slicing, log } = options
    const now = options.now ?? Date.now
    const policy = { ...defaultPolicy, ...options.policy }
    const transactions = new Transactions(store, profile, log)
    this.#begun = log.elapsed()
    const clock = new ServiceClock(now)
    const { provider } = identity.suite
    const delivery = new Delivery({ transport: options.delivery, device: identity, provider, clock, patience })
    const acceptEndorsed = policy.endorsedKey === "accept"
    const { judge, people, revocations, recoveries, revoking, ownDevices } = knowing({
      ...{ store, transactions, directory, identity, now, timers, acceptEndorsed },
      members: () => [...this.#groups.values()].flatMap(({ members }) => members),
      onRevoked: () => this.#goOn(),
      onUnlisted: () => this.#account.look(),
    })
    ;[this.#people, this.#revoking, this.#ownDevices] = [people, revoking, ownDevices]
    const limits = { ...defaultInvitationLimits, ...policy.invitationLimits }
    const invitations = new Invitations({ store, limits, now })
    const onRestored = () => options.live !== false && this.#inbox.wake()
    const serviceKeys = new ServiceKeys({ store, transactions, delivery, provider, now, onRestored })
    for (const part of [serviceKeys, invitations]) transactions.share(part)
    transactions.isTold = (event, id) => invitations.isTold(event, id)
    const lifetimeNow = () => clock.lifetimeNow()
    const times = { now: lifetimeNow, serviceNow: () => clock.now() }
    const lasting = { size: policy.keyPackages, lifetimeSeconds: policy.keyPackageLifetimeSeconds }
    const stock = new Stock({ store, transactions, delivery, identity, random, ...times, ...lasting })
    this.#account = new Account({ directory, identity, clock, transactions, signal: this.#closing.signal })
    this.recovery = new Recovering({
      ...{ directory, identity, transactions, recoveries, revoking, account: this.#account, random, now },
      ...{ conversations: () => this.#groups.values(), signal: this.#closing.signal },
    })
    this.#options = options
    this.#policy = policy
    const groupOptions = groupOptionsOf(lifetimeNow, random)
    this.#means = {
      ...{ store, transactions, delivery, directory, identity, judge, revocations, invitations, serviceKeys },
      ...{ log, random, now, timers, attention: new Attention(), step, slicing, signal: this.#closing.signal },
      ...{ cipherSuite: identity.suite.number, groupOptions },
      keepHistory: policy.history,
      leaveDelayMilliseconds: policy.leaveDelayMilliseconds,
      renewAfterMilliseconds: policy.renewAfterMilliseconds,
      renewals: new Renewals(policy.renewalsPerDay),
      signals: new Signals({ ...options, delivery, clock, signal: this.#closing.signal, groupOptions }),
    }
    this.#signalListeners = new SignalListeners(log)
    const groupOf = (conversation: Conversation) => this.#groups.get(conversation.id)?.group
    this.blobs = new BlobsOnDemand({ ...this.#means, provider, groupOf })
    const inbox = new Inbox({
      ...{ means: this.#means, stock, policy: policy.invitations, verifyLeaves: options.verifyLeaves },
      followsAny: () => [...this.#groups.values()].some(({ driver }) => driver.state.isFollowing),
      find: (id) => this.#groups.get(id),
      findShown: this.#find,
      make: (id) => this.#make(id),
      register: (conversation) => this.#register(conversation),
    })
    const onFault = (error: unknown) => this.#report(error)
    const { attention, signal } = this.#means
    const common = { signal, now, random, timers, attention, log, onFault }
    this.#inbox = new Runner({ ...common, of: { name: "inbox" }, job: () => inbox.read() })
    this.#keyPackages = stock
    const replenishing = { job: () => stock.replenish(signal), due: () => stock.due }
    this.#stock = new Runner({ ...common, of: { name: "key packages" }, ...replenishing })
    const copies = new Copies({ delivery, transactions, now })
    const check = () => this.#ownDevices.check(signal).then(() => copies.check(this.#groups.values(), signal))
    const watch = { job: check, due: () => this.#ownDevices.due }
    this.#watch = new Runner({ ...common, of: { name: "own devices" }, ...watch })
    patience.listen({
      onThrottled: (service, retryAt) =>
        this.#tell({ type: "throttled", conversation: undefined, service, retryAt: BigInt(retryAt.getTime()) }),
      onOutdated: (service, reason) => this.#tell({ type: "update", conversation: undefined, service, reason }),
      onChange: () => transactions.notify(),
    })
  }

  get name(): string {
    return this.#means.identity.name
  }

  get online(): boolean {
    return this.#stream?.online ?? false
  }

  get offlineReason(): string | undefined {
    return this.#stream === undefined || this.line.state === "connected" ? undefined : this.line.reason
  }

  get line(): Line {
    return this.#stream?.line ?? notLive
  }

  attend(isLooking: boolean): void {
    const { attention } = this.#means
    attention.isLooking = isLooking
    if (isLooking) this.reconnect()
  }

  reconnect(): void {
    if (this.#closing.signal.aborted) return
    this.#stream?.reconnect()
    for (const runner of [this.#inbox, this.#stock, this.#watch, ...this.#runners()]) runner.hasten()
  }

  get waiting(): Waiting | undefined {
    return this.#options.patience.waiting
  }

  /** Half-done work first: the registration; then the conversations, which know their own. */
  async start({ recovery, signal }: Starting): Promise<void> {
    await this.#load()
    if (!this.#means.transactions.profile.registered) {
      const parts = {
        means: this.#means,
        keyPackages: this.#keyPackages,
        people: this.#people,
        recovering: this.recovery,
      }
      const until = signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal])
      await introduce(parts, { ...this.#options, recovery }, until)
    }
    this.#means.store.lost.then((reason) => this.#end(reason))
    const { suite } = this.#means.transactions.profile
    const milliseconds = this.#means.log.elapsed() - this.#begun
    this.#means.log.write("opened", { suite, conversations: this.#groups.size, milliseconds })
    if (this.#options.live === false) return
    this.#stream = new Stream({
      ...this.#means,
      inbox: this.#inbox,
      conversations: () => this.#groups.values(),
      find: (id) => this.#groups.get(hex(id)),
      onChange: () => this.#means.transactions.notify(),
      ...this.#signalListeners.hearing,
      onRefused: (reason) => {
        this.#wonder()
        this.#tell({ type: "unavailable", conversation: undefined, reason })
      },
    })
    this.#means.transactions.observe(() => {
      this.#stream?.renew()
      this.#stream?.notice()
    })
    this.#stock.wake()
    this.#inbox.wake()
    this.#watch.wake()
    for (const { driver } of this.#groups.values()) driver.runner.wake()
  }

  /** What was learned of others may be a reason to do something in each conversation. */
  #goOn(): void {
    for (const runner of this.#options.live === false ? [] : this.#runners()) runner.wake()
  }

  async createConversation(options: { title?: string; members?: readonly string[] }): Promise<Conversation> {
    const { title = "", members = [] } = options
    requireSpeaking(this.#means)
    return createConversation(this.#means, {
      ...{ title, members },
      make: (id) => this.#make(id),
      register: (made) => this.#register(made),
    })
  }

  events(options: { readonly signal?: AbortSignal; readonly peek?: boolean } = {}): AsyncIterable<ClientEvent> {
    return this.#requireJournal().events({ signal: this.#until(options.signal), peek: options.peek ?? false })
  }

  acknowledge(number: number): Promise<void> {
    return this.#requireJournal().acknowledge(number)
  }

  async sync(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    options.signal?.throwIfAborted()
    // Where this device is refused, the directory may say why; else it is in the way of nothing.
    await this.#stock.once().catch(async (error: unknown) => {
      this.#ownDevices.hasten()
      await this.#watch.once().catch(() => {})
      requireSpeaking(this.#means)
      throw error
    })
    await this.#inbox.once()
    await this.#watch.once().catch(requireUnavailable)
    for (const { driver } of [...this.#groups.values()]) {
      options.signal?.throwIfAborted()
      driver.bring({ type: "asked again" })
      await driver.runner.once()
    }
    await this.#people.settled()
  }

  onSignal(listener: (signal: Signal) => void): () => void {
    const stop = this.#signalListeners.add(listener)
    this.#stream?.hear()
    return stop
  }

  displayName(name: string): string | undefined {
    return this.#people.displayName(name)
  }

  async setDisplayName(text: string): Promise<void> {
    this.#closing.signal.throwIfAborted()
    requireSpeaking(this.#means)
    return this.#people.set(text, this.#closing.signal)
  }

  observe(listener: () => void): () => void {
    return this.#means.transactions.observe(observing(this.#means.log, listener))
  }

  async devices(name: string, options: { readonly signal?: AbortSignal } = {}): Promise<readonly PersonDevice[]> {
    requireName(name)
    return devicesOf(this.#means.judge, name, this.#until(options.signal))
  }

  async pinnedKeys(name: string): Promise<readonly Uint8Array[]> {
    return (await this.#means.judge.pinned(name)).map((key) => key.slice())
  }

  get signatureKey(): Uint8Array {
    return this.#means.identity.signatureKey.slice()
  }

  keyCode(name: string, signatureKey: Uint8Array): string {
    return keyCodeOf(this.#means.identity, name, signatureKey)
  }

  async approveKey(name: string, signatureKey: Uint8Array): Promise<void> {
    const { judge, transactions, revocations } = this.#means
    requireUnrevoked(revocations, name, signatureKey)
    const pin = { name, signatureKey: copyBytes(signatureKey) }
    await judge.pinned(name)
    await transactions.run(undefined, (transaction) => judge.pin(transaction, pin))
    const { signatureKey: approved } = pin
    for (const { driver } of this.#groups.values()) await driver.run({ type: "approved", signatureKey: approved })
  }

  async endorseDevice(registration: Uint8Array): Promise<Uint8Array> {
    this.#closing.signal.throwIfAborted()
    requireSpeaking(this.#means)
    const { identity } = this.#means
    const content = copyBytes(registration)
    const signatureKey = identity.registeredKey(content)
    await this.approveKey(identity.name, signatureKey)
    return identity.endorse(content, await this.pinnedKeys(identity.name))
  }

  ownDevices({ signal }: Parameters<Client["ownDevices"]>[0] = {}): Promise<readonly OwnDevice[]> {
    return this.#revoking.devices(this.#until(signal))
  }

  revokeDevice(id: string, { keep, signal }: Parameters<Client["revokeDevice"]>[1] = {}) {
    return this.#revoking.revoke(id, keep ?? [], this.#until(signal))
  }

  #until(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal])
  }

  exportAccount(): Promise<string> {
    return this.#account.export()
  }

  eraseAccount(): Promise<void> {
    return this.#account.erase(this.#groups.values())
  }

  async debugReport(): Promise<string> {
    const { debugReport } = await import("./report.js")
    return await debugReport({
      means: this.#means,
      policy: this.#policy,
      given: { ...this.#options, provider: this.#options.provider.name },
      conversations: [...this.#groups.values()],
      stock: this.#keyPackages,
      runners: { inbox: this.#inbox, "key packages": this.#stock, "own devices": this.#watch },
      stream: this.#stream,
      waiting: this.waiting,
      begun: this.#begun,
      isClosing: this.#closing.signal.aborted,
    })
  }

  close(): Promise<void> {
    return this.#end(undefined)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #end(reason: Error | undefined): Promise<void> {
    this.#ending ??= this.#close(reason).finally(() => this.#resolveClosed(reason))
    return this.#ending
  }

  async #close(reason: Error | undefined): Promise<void> {
    const { transactions, delivery, directory, store, identity, log } = this.#means
    const begun = log.elapsed()
    log.write("closing", { conversations: this.#groups.size, because: reason && faultOf(reason) })
    this.#options.patience.close()
    this.#closing.abort(new ClientError("CLOSED", "the client is closed"))
    await this.#stream?.done
    // Transports first: what still waits for an answer ends with them.
    await Promise.allSettled([delivery.close(), directory.close()])
    const parts = [this.#people, this.#inbox, this.#stock, this.#watch, ...this.#runners()]
    await Promise.all(parts.map((part) => part.end()))
    await transactions.close()
    for (const { driver } of this.#groups.values()) driver.close()
    this.#means.signals.close()
    identity[Symbol.dispose]()
    await store.close()
    const now = log.elapsed()
    log.write("closed", { openMilliseconds: now - this.#begun, milliseconds: now - begun })
  }

  async #load(): Promise<void> {
    const { store, transactions, invitations, revocations } = this.#means
    for (const part of [invitations, revocations, this.recovery]) await part.reload()
    await transactions.discard(this.#people)
    await transactions.discard(this.#means.serviceKeys)
    for (const [key] of await store.list(recordKeys.states)) {
      const conversation = this.#make(fromHex(key.slice(recordKeys.states.length)))
      await transactions.discard(conversation.driver)
      this.#keep(conversation)
    }
    this.#journal = await openJournal(store, transactions, this.#find)
  }

  #make(id: Uint8Array): ConversationHandle {
    const means = { ...this.#means, onFault: (error: unknown) => this.#report(error, id) }
    const fates = {
      onHidden: () => this.#arrange(),
      onForgotten: () => this.#forget(conversation),
      onReach: () => this.#stream?.extend(conversation),
      onRenewed: () => this.#stock.wake(),
    }
    const neighbours = { find: this.#find, restart: this.#restart, arrange: () => this.#arrange() }
    const conversation: ConversationHandle = new ConversationHandle(id, means, { fates, neighbours })
    return conversation
  }

  #register(conversation: ConversationHandle): void {
    this.#keep(conversation)
    conversation.driver.runner.wake()
    this.#means.transactions.notify()
  }

  #keep(conversation: ConversationHandle): void {
    this.#groups.set(conversation.id, conversation)
    if (!this.#isHidden(conversation.id)) this.conversations.set(conversation.id, conversation)
  }

  /** Not one whose invitation was declined: nothing of it is shown any more. */
  readonly #find = (id: string) => (this.#isDeclined(id) ? undefined : this.#groups.get(id))

  readonly #restart = async (conversation: ConversationHandle, without: readonly string[]) => {
    const make = (id: Uint8Array) => this.#make(id)
    const register = (made: ConversationHandle) => this.#register(made)
    return restartConversation(conversation, without, { make, register }).finally(() => this.#arrange())
  }

  /** Takes out of the list what is shown no more. */
  #arrange(): void {
    for (const id of [...this.conversations.keys()]) if (this.#isHidden(id)) this.conversations.delete(id)
  }

  #isHidden(id: string): boolean {
    return this.#isDeclined(id) || this.#groups.get(id)?.driver.state.continuation.after !== undefined
  }

  #isDeclined(id: string): boolean {
    return this.#means.invitations.isDeclined(id) && this.#means.invitations.get(id)?.fresh === true
  }

  #forget({ id, driver }: ConversationHandle): void {
    this.#groups.delete(id)
    this.conversations.delete(id)
    driver.close()
    this.#means.transactions.notify()
  }

  #runners(): readonly Runner[] {
    return [...this.#groups.values()].map(({ driver }) => driver.runner)
  }

  /** A fault that nobody expected is not passed over in silence; the work is tried again. */
  #report(error: unknown, conversation?: Uint8Array): void {
    const code = (error as { code?: string }).code ?? "INTERNAL"
    const reason = error instanceof Error ? error.message : String(error)
    if (code === "REFUSED") this.#wonder()
    if (code === "REFUSED") this.#tell({ type: "unavailable", conversation, reason })
    else this.#tell({ type: "rejected", conversation, code, reason })
  }

  /** What is refused to this device may be so because it was revoked: the directory shows that. */
  #wonder(): void {
    this.#ownDevices.hasten()
    if (this.#options.live !== false) this.#watch.wake()
  }

  #tell(event: NewEvent): void {
    this.#means.transactions.run(undefined, (transaction) => transaction.emit(event)).catch(() => {})
  }

  #requireJournal(): Journal {
    if (this.#journal === undefined) throw new ClientError("CLOSED", "the client is not open")
    return this.#journal
  }
}
