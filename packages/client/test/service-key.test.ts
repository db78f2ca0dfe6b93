import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { setImmediate } from "node:timers/promises"
import { encode } from "@conclave/codec"
import { deliveryRequests } from "@conclave/contracts/delivery"
import { type Handover, SERVICE_KEY_LABEL, type ServiceIdentity, ServiceKeyTBS } from "@conclave/contracts/heads"
import { signWithLabel } from "@conclave/mls"
import type { ConversationHandle } from "../src/device/handle.js"
import { newsOf, serviceSuite } from "../src/heads/service-key.js"
import type { PinnedService } from "../src/records/records.js"
import { only, told } from "./support/backup.js"
import { provider, World } from "./support/world.js"

const suite = serviceSuite(provider)!
const made = () => suite.signature.generate((length) => provider.random(length))
const [first, second, third] = [made(), made(), made()]
type Key = typeof first

function handover(by: Key, to: Key, incarnation: bigint, signer: Key = by): Handover {
  const key = to.publicKey
  const signature = signWithLabel(signer, SERVICE_KEY_LABEL, encode(ServiceKeyTBS, { key, incarnation }))
  return { by: by.publicKey, key, incarnation, signature }
}

const says = (key: Key, incarnation: bigint, ...handovers: readonly Handover[]): ServiceIdentity => ({
  ...{ key: key.publicKey, incarnation, handovers },
})
const pinned = (incarnation: bigint, ...keys: readonly Key[]): PinnedService => ({
  ...{ keys: keys.map(({ publicKey }) => publicKey), incarnation, restoredAt: undefined },
})

describe("what a service says of itself", () => {
  it("is pinned where nothing is known of it", () => {
    const news = newsOf(suite, undefined, says(first, 3n))
    assert.deepEqual(news, { type: "first", pinned: pinned(3n, first) })
  })

  it("is no news where it is what is known", () => {
    assert.equal(newsOf(suite, pinned(2n, first), says(first, 2n)).type, "same")
  })

  it("is a restored backup where its own key has signed for that", () => {
    const news = newsOf(suite, pinned(1n, first), says(first, 2n, handover(first, first, 2n)))
    assert.deepEqual(news, { type: "succeeds", pinned: pinned(2n, first) })
  })

  it("is another key where the known one has signed for it, also by way of a third", () => {
    const chain = [handover(first, second, 1n), handover(second, second, 2n), handover(second, third, 3n)]
    assert.deepEqual(newsOf(suite, pinned(1n, first), says(third, 3n, ...chain)), {
      type: "succeeds",
      pinned: pinned(3n, first, second, third),
    })
    // Whoever knows a part of that way goes the rest of it.
    assert.deepEqual(newsOf(suite, pinned(2n, first, second), says(third, 3n, ...chain)), {
      type: "succeeds",
      pinned: pinned(3n, first, second, third),
    })
  })

  const replacements: Readonly<Record<string, readonly [PinnedService, ServiceIdentity]>> = {
    "another key without a word": [pinned(1n, first), says(second, 1n)],
    "a later incarnation without a word": [pinned(1n, first), says(first, 2n)],
    "an earlier incarnation": [pinned(3n, first), says(first, 2n, handover(first, first, 2n))],
    "a key that signs for itself": [pinned(1n, first), says(second, 1n, handover(first, second, 1n, second))],
    "a signature for another incarnation": [
      pinned(1n, first),
      says(first, 3n, { ...handover(first, first, 2n), incarnation: 3n }),
    ],
    "a signature for another key": [
      pinned(1n, first),
      says(third, 1n, { ...handover(first, second, 1n), key: third.publicKey }),
    ],
    "a way that begins elsewhere": [pinned(1n, first), says(third, 2n, handover(second, third, 2n))],
    "a way that goes back": [
      pinned(2n, first),
      says(third, 3n, handover(first, second, 1n), handover(second, third, 3n)),
    ],
    "a way that goes on": [
      pinned(1n, first),
      says(second, 1n, handover(first, second, 1n), handover(second, third, 1n)),
    ],
  }
  for (const [what, [before, said]] of Object.entries(replacements)) {
    it(`is a replacement: ${what}`, () => {
      const news = newsOf(suite, before, said)
      assert.equal(news.type, "replaced")
      assert.deepEqual(news.type === "replaced" && news.pinned.keys, [said.key])
    })
  }
})

describe("two answers of a service to what it says of itself", () => {
  it("are no alarm where the earlier one was under way while it was restored", async () => {
    await using world = new World()
    let shown = world.branch.transport
    let isSlow = false
    let arrive = () => {}
    const arriving = new Promise<void>((resolve) => {
      arrive = resolve
    })
    const alice = await world.open("alice", {
      delivery: {
        request: async (body, options) => {
          const isHeld = isSlow && deliveryRequests.decode(body).type === "service"
          const answer = await shown.request(body, options)
          if (isHeld) {
            isSlow = false
            await arriving
          }
          return answer
        },
        subscribe: (body, options) => shown.subscribe(body, options),
        [Symbol.asyncDispose]: async () => {},
      },
    })
    await alice.createConversation({ title: "team", members: [] })
    const { serviceKeys, signal } = (only(alice) as ConversationHandle).driver.means
    await serviceKeys.ask(signal)
    const before = serviceKeys.pinned!.incarnation
    isSlow = true
    const slow = serviceKeys.ask(signal)
    while (isSlow) await setImmediate()
    shown = (await world.restore()).transport
    await serviceKeys.ask(signal)
    const { pinned } = serviceKeys
    assert.ok(pinned!.incarnation > before && pinned!.restoredAt !== undefined)
    arrive()
    await slow
    assert.deepEqual(serviceKeys.pinned, pinned)
    assert.deepEqual(await told(alice), ["restored"])
  })
})
