import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { noAccess } from "@conclave/contracts/access"
import { authRequests } from "@conclave/contracts/auth"
import { deliveryRequests } from "@conclave/contracts/delivery"
import { SealedTransport, shareTransport } from "@conclave/fast-open"
import { type Answered, directTransport } from "@conclave/transport"
import { connect } from "@conclave/transport/node"
import { composed, crypto, headOfNothing, registration } from "./composed-support.js"

/** A server that tells of its answers, and what it has told. */
async function telling() {
  const told: Answered[] = []
  const options = { fastOpen: { host: "127.0.0.1", policy: "off" } } as const
  const conclave = await composed({ ...options, onAnswered: (answered) => told.push(answered) })
  const { url } = await conclave.listen({ host: "127.0.0.1" })
  return { told, conclave, url }
}

const lookup = authRequests.encode({ type: "lookup", name: "nobody" })

describe("what a server tells of its answers", { timeout: 20_000 }, () => {
  it("says kind, outcome, time, bytes and way of each, and whether it came early", async () => {
    const { told, conclave, url } = await telling()
    await using _ = conclave
    await using http = connect(new URL("auth", url))
    const answer = await http.request(lookup)
    await using direct = directTransport(conclave.services.auth)
    await direct.request(lookup)
    await direct.request(Uint8Array.of(0xff))
    const { register } = registration("alice")
    await direct.request(authRequests.encode({ ...register, signature: new Uint8Array(64) }))
    const service = async () => conclave.fastOpen!.server.offer({ host: "127.0.0.1", clientAddress: "127.0.0.1" })
    await using sealed = new SealedTransport({ provider: crypto, policy: "off", service })
    const { auth } = shareTransport(sealed, ["auth"])
    await auth.request(lookup, { replaySafe: true })
    const short = told.map(({ service, kind, outcome, way, early }) => [service, kind, outcome, way, early].join(" "))
    assert.deepEqual(short, [
      "auth lookup notFound http false",
      "auth lookup notFound direct false",
      "auth unreadable update direct false",
      "auth register invalid direct false",
      "auth lookup notFound sealed true",
    ])
    const [first] = told
    assert.deepEqual([first!.bytesIn, first!.bytesOut], [lookup.length, answer.length])
    for (const { milliseconds, isFurther } of told) {
      assert.ok(milliseconds > 0 && milliseconds < 20_000)
      assert.equal(isFurther, false)
    }
  })

  it("tells each answer of a stream, the time and the request's bytes with the first alone", async () => {
    const { told, conclave, url } = await telling()
    await using _ = conclave
    await using transport = connect(new URL("delivery", url))
    const cursors = [{ groupId: new Uint8Array(32), afterSeq: 0n, access: noAccess }]
    const subscribe = deliveryRequests.encode({ type: "subscribe", cursors, proof: undefined, inboxAfter: 0n })
    const stream = transport.subscribe(subscribe)[Symbol.asyncIterator]()
    for (let i = 0; i < 2; i++) await stream.next()
    // Over the socket that is open now.
    await transport.request(headOfNothing)
    await stream.return?.()
    const [subscribed, entries, head] = told
    assert.deepEqual([subscribed!.outcome, subscribed!.way, subscribed!.isFurther], ["subscribed", "socket", false])
    assert.equal(subscribed!.bytesIn, subscribe.length)
    assert.deepEqual([entries!.outcome, entries!.isFurther, entries!.bytesIn], ["notFound", true, 0])
    assert.equal(entries!.milliseconds, 0)
    assert.ok(entries!.bytesOut > 0)
    assert.deepEqual([head!.kind, head!.outcome, head!.way], ["head", "notFound", "socket"])
    assert.equal(told.length, 3)
  })

  it("tells a request that nobody waited for", async () => {
    const told: Answered[] = []
    await using conclave = await composed({ onAnswered: (answered) => told.push(answered) })
    const answers = conclave.services.delivery(headOfNothing, { signal: AbortSignal.abort(), early: false })
    const iterator = answers[Symbol.asyncIterator]()
    const asking = iterator.next()
    await iterator.return?.()
    await asking
    assert.deepEqual(
      told.map(({ outcome, bytesOut }) => [outcome, bytesOut > 0]),
      [["notFound", true]],
    )
  })

  it("tells beside a log, which has the same kinds", async () => {
    const lines: string[] = []
    const write = (fields: object) => lines.push(`${(fields as { kind?: string }).kind}`)
    const told: Answered[] = []
    const logger = { debug: write, info: () => {}, warn: () => {}, error: () => {} }
    await using conclave = await composed({ logger, onAnswered: (answered) => told.push(answered) })
    await using direct = directTransport(conclave.services.delivery)
    await direct.request(headOfNothing)
    assert.deepEqual(
      lines,
      told.map(({ kind }) => kind),
    )
  })
})
