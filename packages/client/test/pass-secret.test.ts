import assert from "node:assert/strict"
import { describe, it } from "node:test"
import * as authentication from "@conclave/auth"
import { decode, encode } from "@conclave/codec"
import type { Access } from "@conclave/contracts/access"
import { type DeliveryRequest, DeliveryResponse, deliveryRequests } from "@conclave/contracts/delivery"
import * as delivery from "@conclave/delivery"
import { directTransport, type Handler, type Transport } from "@conclave/transport"
import { Client, memoryStore } from "../src/index.js"
import { later, until } from "./support/counting.js"
import { next, provider } from "./support/world.js"

const NOW = 1_800_000_000_000
const sha256 = (...parts: readonly Uint8Array[]) => provider.hashes["SHA-256"]!.digest(...parts)

/** The cursors of one subscription: by what each asked, and how many of them were denied. */
interface Subscription {
  readonly by: readonly Access["type"][]
  denied: number
}

/** Services whose Delivery Service is started again with another identity; what was connected to it has to come back. */
class Services implements AsyncDisposable {
  readonly #directory = authentication.memoryStore()
  readonly #shared = { crypto: provider, now: () => NOW }
  readonly #auth = authentication.authenticationService({ ...this.#shared, store: this.#directory })
  readonly #store = delivery.memoryStore(sha256)
  readonly #clients: Client[] = []
  #delivery = this.#start()
  #stopped = new AbortController()
  /** By the client `bob`. */
  readonly subscriptions: Subscription[] = []
  reads = 0
  /** Denies whatever key is shown to a subscription. */
  denying = false

  /** Nothing of the identity before is known. */
  restart(): void {
    this.#delivery = this.#start()
    this.#stopped.abort()
    this.#stopped = new AbortController()
  }

  async open(name: string, live: boolean): Promise<Client> {
    const client = await Client.open({
      name,
      store: memoryStore(),
      delivery: live ? this.#watched() : directTransport((...asked) => this.#delivery(...asked)),
      auth: directTransport(this.#auth),
      provider,
      sealingKey: new Uint8Array(32).fill(7),
      now: this.#shared.now,
      live,
      policy: { keyPackages: 20 },
    })
    this.#clients.push(client)
    return client
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()))
  }

  #start(): Handler {
    const store = new Proxy(this.#store, {
      get: (target, name: keyof delivery.Store) =>
        name === "identity"
          ? async (made: Parameters<delivery.Store["identity"]>[0]) => made
          : (target[name] as () => unknown).bind(target),
    })
    const limits = { pollMilliseconds: 20, commits: { perSecond: 1e6, burst: 1e6 } }
    const directory = authentication.directoryOf(this.#directory)
    return delivery.deliveryService({ ...this.#shared, store, directory, limits })
  }

  #watched(): Transport {
    const transport = directTransport((request, context) => {
      const signal = AbortSignal.any([context.signal, this.#stopped.signal])
      return this.#delivery(request, { ...context, signal })
    })
    const services = this
    return {
      ...transport,
      request(body, options) {
        if (deliveryRequests.decode(body).type === "read") services.reads++
        return transport.request(body, options)
      },
      async *subscribe(body, options) {
        const { cursors } = deliveryRequests.decode(body) as Extract<DeliveryRequest, { type: "subscribe" }>
        const subscription: Subscription = { by: cursors.map(({ access }) => access.type), denied: 0 }
        services.subscriptions.push(subscription)
        for await (const bytes of transport.subscribe(body, options)) {
          const answer = decode(DeliveryResponse, bytes)
          const isDenied = answer.type === "denied" || (services.denying && answer.type === "entries")
          if (isDenied) subscription.denied++
          if (!isDenied || answer.type === "denied") yield bytes
          else yield encode(DeliveryResponse, { type: "denied", groupId: answer.groupId, reason: "not you" })
        }
      },
      [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
    }
  }
}

const COUNT = 5

/** Bob follows Alice's conversations, and has come back once, by passes. */
async function following(services: Services) {
  const alice = await services.open("alice", false)
  const bob = await services.open("bob", true)
  for (let n = 0; n < COUNT; n++) await alice.createConversation({ title: `${n}`, members: ["bob"] })
  await until(() => bob.conversations.size === COUNT && bob.online, "all conversations")
  await until(() => services.subscriptions.at(-1)!.by.length === COUNT, "all are followed")
  await later(200)
  return { alice, bob }
}

describe("a client whose passes the service does not know any more", { timeout: 30_000 }, () => {
  it("asks once more, by signatures, and goes on following each conversation", async () => {
    await using services = new Services()
    const { alice, bob } = await following(services)
    const before = services.subscriptions.length
    services.restart()
    await until(() => services.subscriptions.length >= before + 2 && bob.online, "another subscription")
    await later(300)
    const { reads } = services
    const [byPasses, signed, ...others] = services.subscriptions.slice(before)
    assert.deepEqual(byPasses, { by: Array(COUNT).fill("pass"), denied: COUNT })
    assert.deepEqual(signed, { by: Array(COUNT).fill("proof"), denied: 0 })
    assert.deepEqual(others, [])
    for (const conversation of alice.conversations.values()) await conversation.send(`to ${conversation.title}`)
    const told = new Set<string>()
    while (told.size < COUNT) told.add((await next(bob, "message")).text!)
    // By what was pushed, and by nothing that was asked for.
    assert.equal(services.reads, reads)
  })

  it("asks no more than once where the signature is denied as well", async () => {
    await using services = new Services()
    const { bob } = await following(services)
    services.denying = true
    const before = services.subscriptions.length
    services.restart()
    await until(() => services.subscriptions.length >= before + 2 && bob.online, "another subscription")
    await later(500)
    const types = services.subscriptions.slice(before).map(({ by }) => new Set(by))
    assert.deepEqual(types, [new Set(["pass"]), new Set(["proof"])])
  })
})
