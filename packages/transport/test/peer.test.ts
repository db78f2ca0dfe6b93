import assert from "node:assert/strict"
import type { IncomingMessage } from "node:http"
import { describe, it } from "node:test"
import { connect } from "../src/node.js"
import type { Handler } from "../src/seam.js"
import { peerOf } from "../src/server/peer.js"
import { serve, text, utf8 } from "./support.js"

/** Answers with what it is told of who asks. */
const whoAsks: Handler = async function* (_, { peer }) {
  yield utf8(`${peer}`)
}

/** Over HTTP, and over a socket. */
async function answers(url: URL): Promise<readonly string[]> {
  await using transport = connect(new URL("/who", url))
  const requested = text(await transport.request(utf8("?")))
  const streamed: string[] = []
  for await (const answer of transport.subscribe(utf8("?"))) streamed.push(text(answer))
  return [requested, ...streamed]
}

describe("who asks", { timeout: 10_000 }, () => {
  it("is told to a service by requests and by streams, as the listener sees it", async () => {
    await using listener = await serve({ who: whoAsks }, { peerOf: ({ url }) => `of ${url}` })
    assert.deepEqual(await answers(listener.url), ["of /who", "of /socket"])
  })

  it("is not known of programs of this machine: a proxy among them speaks for anybody", async () => {
    await using listener = await serve({ who: whoAsks })
    assert.deepEqual(await answers(listener.url), ["undefined", "undefined"])
  })

  it("is the network of an address, however that is written, and nothing finer", () => {
    const peer = (remoteAddress: string | undefined) => peerOf({ socket: { remoteAddress } } as IncomingMessage)
    assert.equal(peer("192.0.2.7"), peer("::ffff:192.0.2.9"))
    assert.notEqual(peer("192.0.2.7"), peer("192.0.3.7"))
    assert.equal(peer("2001:db8:1:203::1"), peer("2001:db8:1:2ff::2"))
    assert.notEqual(peer("2001:db8:1:203::1"), peer("2001:db8:1:303::1"))
    for (const own of ["127.0.0.1", "127.9.9.9", "::ffff:127.0.0.1", "::1", undefined])
      assert.equal(peer(own), undefined)
  })
})
