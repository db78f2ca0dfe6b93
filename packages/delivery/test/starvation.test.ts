import assert from "node:assert/strict"
import { join } from "node:path"
import { describe, it, type TestContext } from "node:test"
import { decode } from "@conclave/codec"
import { DeliveryResponse, deliveryRequests } from "@conclave/contracts/delivery"
import { listen } from "@conclave/server"
import { deliveryStore, openDatabase } from "@conclave/sqlite"
import {
  type BareRequest,
  commitRequest,
  createGroup,
  createService,
  messageRequest,
  sha256,
  temporaryFolder,
  withAccess,
} from "@conclave/testing/delivery"
import type { Handler, Requester, Transport } from "@conclave/transport"
import { connect } from "@conclave/transport/node"

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** A line to the service from elsewhere, `delay` milliseconds long in each direction: a listener of its own. */
async function lineOf(test: TestContext, handler: Handler, place: Requester & { readonly delay: number }) {
  const { delay, ...requester } = place
  const placed: Handler = async function* (request, context) {
    await pause(delay)
    for await (const answer of handler(request, { ...context, ...requester })) {
      await pause(delay)
      yield answer
    }
  }
  const listener = await listen({ services: { delivery: placed } })
  const transport = connect(new URL("delivery", listener.url))
  test.after(async () => {
    await transport[Symbol.asyncDispose]()
    await listener.close()
  })
  return transport
}

const ask = async (line: Transport, request: BareRequest) =>
  decode(
    DeliveryResponse,
    await line.request(deliveryRequests.encode(withAccess(request, { at: Date.now() })) as Uint8Array),
  )

/**
 * As a client does it: what is stale is sent again after what has come first was read, what is throttled after the
 * time. Returns how many milliseconds it took until the entry was accepted.
 */
async function appendUntilAccepted(line: Transport, groupId: Uint8Array, kind: "commit" | "application") {
  const start = performance.now()
  let request = kind === "commit" ? commitRequest(groupId, 0n) : messageRequest(groupId, 0n)
  const head = await ask(line, { type: "head", groupId })
  assert.ok(head.type === "head")
  request = { ...request, after: head.lastCommitSeq }
  while (performance.now() - start < 20_000) {
    const answer = await ask(line, request)
    if (answer.type === "accepted") return performance.now() - start
    if (answer.type === "stale") request = { ...request, after: answer.lastCommitSeq }
    else if (answer.type === "throttled") await pause(answer.retryAfterMilliseconds)
    else assert.fail(answer.type)
  }
  return Number.POSITIVE_INFINITY
}

/** Commits as fast as the line lets it, with several requests under way at a time. */
async function attack(line: Transport, groupId: Uint8Array, signal: AbortSignal): Promise<number> {
  let [after, accepted] = [0n, 0]
  const one = async () => {
    while (!signal.aborted) {
      const answer = await ask(line, commitRequest(groupId, 0n, { after }))
      if (answer.type === "accepted") accepted++
      if (answer.type === "accepted") after = answer.seq
      if (answer.type === "stale") after = answer.lastCommitSeq
    }
  }
  await Promise.all([one(), one(), one()])
  return accepted
}

describe("a member who commits without pause from beside the service", { timeout: 60_000 }, () => {
  it("is removed by one 50 ms away within 5 s, and others' messages take at most 2 s (p99)", async (test) => {
    const store = deliveryStore(openDatabase({ file: join(temporaryFolder(test), "service.db") }), sha256)
    const { handler, ...service } = createService(store, {
      now: Date.now,
      limits: { commits: { perSecond: 1, burst: 5 } },
    })
    const groupId = await createGroup({ handler, ...service })
    const mallory = await lineOf(test, handler, { peer: "mallory", network: "attackers", delay: 0 })
    const alice = await lineOf(test, handler, { peer: "alice", network: "alice's", delay: 50 })
    const bob = await lineOf(test, handler, { peer: "bob", network: "bob's", delay: 50 })
    const stop = new AbortController()
    const attacking = attack(mallory, groupId, stop.signal)
    await pause(1_500)
    const messages: Promise<number>[] = []
    const talking = (async () => {
      for (let i = 0; i < 60; i++) {
        messages.push(appendUntilAccepted(bob, groupId, "application"))
        await pause(100)
      }
    })()
    const removals: number[] = []
    // Each time as if it were the first: somebody who has had a turn lately is not preferred.
    for (let i = 0; i < 3; i++) removals.push(await appendUntilAccepted(alice, groupId, "commit"))
    await talking
    const times = (await Promise.all(messages)).sort((a, b) => a - b)
    stop.abort()
    const commits = await attacking
    const p99 = times[Math.ceil(times.length * 0.99) - 1]!
    test.diagnostic(
      `removed after ${removals.map(Math.round).join(", ")} ms; others' messages p50 ${Math.round(times[times.length >> 1]!)}, ` +
        `p99 ${Math.round(p99)} ms; ${commits} commits of the attacker`,
    )
    assert.ok(Math.max(...removals) <= 5_000, `${removals} ms`)
    assert.ok(p99 <= 2_000, `${p99} ms`)
    await store[Symbol.asyncDispose]()
  })
})
