import assert from "node:assert/strict"
import { decode, encode } from "@conclave/codec"
import { noAccess } from "@conclave/contracts/access"
import { type DeliveryRequest, DeliveryResponse, deliveryRequests } from "@conclave/contracts/delivery"
import type { Knock } from "@conclave/contracts/knocks"
import { type Transport, TransportError } from "@conclave/transport"
import { fromHex, hex } from "../../src/bytes.js"
import { ConversationHandle } from "../../src/device/handle.js"
import type { Client } from "../../src/index.js"
import { MemoryProfile, memoryStore } from "../../src/store/memory.js"
import { until } from "./counting.js"
import { firstTurn, Insider } from "./insider.js"
import { expected, type Mallory } from "./mallory.js"
import { provider, settle, World } from "./world.js"

type Kind = DeliveryRequest["type"]

/**
 * What an action of the model may ask of the service. A device that asks for knocks answers them at once; in a trace, it
 * hears of them as of what the service streams, and answers when an action says so.
 */
export const atOnce: readonly Kind[] = ["read", "head", "knock"]
const answering: readonly Kind[] = [...atOnce, "append"]
export const entering: readonly Kind[] = ["read", "head", "answer"]
/** The model's members do not read what they have appended before an action says so. */
export const appending: readonly Kind[] = ["head", "append"]
/** What a device asks by itself that nobody holds up. */
export const always: readonly Kind[] = [...answering, "knocks", "answer"]
const everything: readonly Kind[] = [...always, "createGroup"]

/** Each later than the turns of all members: whoever acts may answer, and nobody else. */
export const ITS_TURN = 45_000

/** Longer than members wait who let somebody in for the second or third time, who names one committer again and again. */
const PAUSE = 120_000

/** A member with the SDK, who asks the service for nothing that an action of the model does not say. */
export class TraceMember {
  readonly name: string
  readonly profile = new MemoryProfile()
  client!: Client
  /** What it may ask; everything else finds no service. */
  allowed: readonly Kind[] = everything
  /** Its clock is ahead of the others'. */
  ahead = 0
  /** The service gives it an answer that nobody has made. */
  falseAnswer = false
  /** The answers to its appends do not come: it learns from the log what was accepted. */
  isUnheard = false
  readonly #world: TraceWorld

  constructor(world: TraceWorld, name: string) {
    this.#world = world
    this.name = name
  }

  async open(): Promise<void> {
    const { world } = this.#world
    this.client = await world.open(this.name, {
      store: memoryStore(this.profile),
      delivery: this.#delivery(),
      now: () => world.now + this.ahead,
      random: (length) => (length === 16 ? firstTurn(provider.random(16)) : provider.random(length)),
    })
  }

  async restart(): Promise<void> {
    await this.client.close()
    await this.open()
  }

  get conversation(): ConversationHandle | undefined {
    const [conversation] = this.client.conversations.values()
    assert.ok(conversation === undefined || conversation instanceof ConversationHandle)
    return conversation
  }

  get state() {
    return this.conversation!.driver.state
  }

  /** The service shows it a knock. */
  hear(knock: Knock): void {
    this.conversation!.driver.bring({ type: "knocked", knocks: [knock] })
  }

  /** Asks for what `allowed` names, as often as there is something to ask; whatever else it would do has to wait. */
  async act(allowed: readonly Kind[]): Promise<void> {
    this.allowed = allowed
    // The first that is not allowed ends it.
    await this.client.sync().catch(requireUnavailable)
    await this.conversation?.driver.runner.once().catch(requireUnavailable)
    this.allowed = []
  }

  /** Carries out a wish as far as the service has accepted something. */
  async wish(wish: (conversation: ConversationHandle) => Promise<unknown>): Promise<void> {
    const { head, late } = this.#world
    this.allowed = appending
    this.isUnheard = late.includes(this.name)
    wish(this.conversation!).catch(() => {})
    await until(() => this.#world.head > head, `${this.name}'s wish`)
    this.allowed = []
    await this.conversation!.driver.runner.once().catch(requireUnavailable)
    this.isUnheard = false
  }

  /** The same for what it owes: it reads on before that, and not after. */
  async owed(): Promise<void> {
    Object.assign(this, {
      allowed: ["read", "head", "append"],
      isUnheard: this.#world.late.includes(this.name),
    })
    await this.client.sync().catch(requireUnavailable)
    await this.conversation!.driver.runner.once().catch(requireUnavailable)
    Object.assign(this, { allowed: [], isUnheard: false })
  }

  /** It reads up to an answer, and what comes after that when an action says so. */
  #may(kind: Kind): boolean {
    const isIn = this.allowed === entering && this.conversation!.status !== "recovering"
    return this.allowed.includes(kind) && !(isIn && kind === "read")
  }

  #delivery(): Transport {
    const transport = this.#world.world.transport("delivery")
    return {
      request: async (body, options) => {
        const request = deliveryRequests.decode(body)
        if ("groupId" in request && !this.#may(request.type)) {
          throw new TransportError(`the model says nothing of a ${request.type}`, { retryable: true })
        }
        if (request.type === "answer" && this.falseAnswer) {
          const [key, welcome] = [provider.random(60), provider.random(100)]
          return encode(DeliveryResponse, { type: "answer", seq: 1_000n, key, welcome })
        }
        const answer = decode(DeliveryResponse, await transport.request(body, options))
        this.#world.notice(this.name, request, answer)
        if (request.type === "append" && this.isUnheard)
          throw new TransportError("the answer is lost", { retryable: true })
        return encode(DeliveryResponse, answer)
      },
      subscribe: (body, options) => transport.subscribe(body, options),
      [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
    }
  }
}

function requireUnavailable(error: unknown): void {
  if ((error as { code?: string }).code !== "UNAVAILABLE") throw error
}

/** The members of a trace with the SDK, an insider and a thief with real keys, and a real service. */
export class TraceWorld implements AsyncDisposable {
  readonly world = new World({ inMemory: true })
  readonly members = new Map<string, TraceMember>()
  readonly late: readonly string[]
  insider!: Insider
  thief: Insider | undefined
  /** The model's knocks, in the order in which they were left: 1, 2, 3. */
  readonly knocks: Knock[] = []
  /** The last entry, in the log and as the model counts. */
  head = 0n
  base = 0n
  /** So many knocks have been shown to those who hear of them at once. */
  #heard = 0
  /** As the device of A was before it appended what it has not read yet. */
  #before: MemoryProfile | undefined

  constructor(late: readonly string[]) {
    this.late = late
  }

  /**
   * Everybody opens, A creates the conversation, and M takes the keys out of her device. `renews`: a member whose commit
   * is the last one then.
   */
  async create(names: readonly string[], newcomers: readonly string[], renews?: string): Promise<void> {
    for (const name of [...names, ...newcomers]) {
      const member = new TraceMember(this, name)
      await member.open()
      this.members.set(name, member)
    }
    // M is beside A in the tree, so that a path can be closed to A alone.
    const others = names.filter((name) => name !== "A").sort((a, b) => Number(b === "M") - Number(a === "M"))
    await this.member("A").client.createConversation({ members: others })
    const clients = names.map((name) => this.member(name).client)
    await settle(...clients)
    if (renews !== undefined) await this.member(renews).conversation!.refresh()
    await settle(...clients)
    this.base = this.head
    this.insider = await Insider.of(this.world, this.member("M").client)
    this.members.delete("M")
    for (const member of this.members.values()) member.allowed = []
  }

  member(name: string): TraceMember {
    const member = this.members.get(name)
    assert.ok(member !== undefined, `${name} takes part`)
    return member
  }

  get groupId(): Uint8Array {
    return fromHex(this.member("A").conversation!.id)
  }

  /** What came of a request of a member's. */
  notice(name: string, request: DeliveryRequest, answer: DeliveryResponse): void {
    if (answer.type === "accepted" && answer.seq > this.head) this.head = answer.seq
    if (request.type !== "knock" || answer.type !== "done" || this.knocks.some(({ id }) => hex(id) === hex(request.id)))
      return
    const { id, sealed } = request
    const key = this.member(name).state.intervals.newest!.accessKey
    this.knocks.push({ id, sealed, key, at: BigInt(this.world.now) })
  }

  /** Who is not late reads what has come and hears of knocks; who cannot follow, and has not knocked, knocks. */
  async settle(mustKnock: (name: string) => boolean): Promise<void> {
    const heard = this.#heard
    for (let round = 0; round < 2; round++) {
      for (const [name, member] of this.members) {
        if (member.conversation === undefined || (this.late.includes(name) && !mustKnock(name))) continue
        // Before it knocks again, it asks for the answer once more.
        await member.act(mustKnock(name) ? [...atOnce, "answer"] : atOnce)
      }
    }
    for (const [name, member] of this.members) {
      const isThere = !this.late.includes(name) && member.conversation?.status === "active"
      if (isThere) for (const knock of this.knocks.slice(heard)) member.hear(knock)
    }
    this.#heard = this.knocks.length
    await this.insider.follow()
  }

  /** Before an action of A's that leaves its state as it is in the model. */
  remember(): void {
    this.#before ??= copyOf(this.member("A").profile)
  }

  /** A has read what it has appended. */
  forget(): void {
    this.#before = undefined
  }

  /** With A's keys, as a copy of its whole state has them: what it has appended, and not read, is no part of it. */
  async asA(): Promise<Insider> {
    const store = memoryStore(this.#before === undefined ? copyOf(this.member("A").profile) : copyOf(this.#before))
    const client = await this.world.open("A", { store })
    return Insider.of(this.world, client)
  }

  /** The last entry that the service shows for the newest key of somebody, as the model counts. */
  async reads(mallory: Mallory): Promise<number> {
    const answer = await mallory.askAs(mallory.keys, { type: "head", groupId: this.groupId, access: noAccess })
    return Number(expected(answer, "head").headSeq - this.base)
  }

  /** `due`: its pause is over, where there is one. */
  async answers(name: string, { due }: { readonly due: boolean }): Promise<void> {
    if (due) this.world.now += PAUSE
    const member = this.member(name)
    Object.assign(member, { allowed: answering, ahead: ITS_TURN, isUnheard: this.late.includes(name) })
    await member.client.sync().catch(requireUnavailable)
    await member.conversation!.driver.runner.once().catch(requireUnavailable)
    Object.assign(member, { allowed: [], ahead: 0, isUnheard: false })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.world[Symbol.asyncDispose]()
  }
}

function copyOf(profile: MemoryProfile): MemoryProfile {
  const copy = new MemoryProfile()
  for (const [key, value] of profile.records) copy.records.set(key, value.slice())
  return copy
}
