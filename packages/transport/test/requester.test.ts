import assert from "node:assert/strict"
import { isIP } from "node:net"
import { describe, it } from "node:test"
import fc from "fast-check"
import { Share, Shares } from "../src/index.js"
import { addressBytes, requesterAt } from "../src/requester.js"
import { Holding } from "../src/shares.js"

describe("a requester", () => {
  it("is an IPv4 address in its /24, or a /56 of IPv6 in its /48, however the address is written", () => {
    const cases: readonly [string, string, samePeer: boolean, sameNetwork: boolean][] = [
      ["192.0.2.7", "::ffff:192.0.2.7", true, true],
      ["192.0.2.7", "::ffff:c000:207", true, true],
      ["192.0.2.7", "192.0.2.9", false, true],
      ["192.0.2.7", "192.0.3.7", false, false],
      ["127.0.0.1", "127.0.0.2", false, true],
      ["2001:db8:1:203::1", "2001:DB8:1:2ff:9::2", true, true],
      ["2001:db8:1:203::1", "2001:db8:1:303::1", false, true],
      ["2001:db8:1:203::1", "2001:db8:2:203::1", false, false],
      ["fe80::1%eth0", "fe80::2", true, true],
      ["::1", "0:0:0:0:0:0:0:2", true, true],
      ["::1", "0.0.0.1", false, false],
    ]
    for (const [one, other, samePeer, sameNetwork] of cases) {
      const [a, b] = [requesterAt(one)!, requesterAt(other)!]
      assert.deepEqual([a.peer === b.peer, a.network === b.network], [samePeer, sameNetwork], `${one} ${other}`)
    }
  })

  it("is nobody for what is not an address", () => {
    for (const text of [
      "",
      "unknown",
      "_hidden",
      "1.2.3",
      "1.2.3.256",
      "1.2.3.4:80",
      "::1::",
      "1:2:3",
      "g::",
      ":1",
      "::12345",
    ]) {
      assert.equal(requesterAt(text), undefined, text)
    }
    assert.equal(requesterAt(undefined), undefined)
  })

  it("is found for every address that Node knows, and for nothing else", () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), fc.stringMatching(/^[0-9a-f:.]{0,20}$/)), (text) => {
        assert.equal(addressBytes(text) !== undefined, isIP(text) !== 0, text)
      }),
      { numRuns: 2000 },
    )
  })
})

describe("a share", () => {
  const requester = (peer: string, network: string) => ({ peer, network })

  it("is limited for a peer, its network and all, and what is refused is not taken", () => {
    const share = new Share({ peer: 2, network: 3, all: 5 })
    const [one, two, three] = [requester("a", "x"), requester("b", "x"), requester("c", "y")]
    assert.deepEqual([share.take(one), share.take(one), share.take(one)], [undefined, undefined, "peer"])
    assert.deepEqual([share.take(two), share.take(two)], [undefined, "network"])
    assert.deepEqual([share.take(three), share.take(three), share.take(three)], [undefined, undefined, "peer"])
    assert.equal(share.take(requester("d", "z")), "all")
    share.give(one)
    assert.equal(share.take(requester("d", "z")), undefined)
    assert.equal(share.take(two), "all")
  })

  it("counts what comes through a proxy for all alone", () => {
    const share = new Share({ peer: 1, network: 1, all: 3 })
    assert.deepEqual(
      [1, 2, 3, 4].map(() => share.take(undefined)),
      [undefined, undefined, undefined, "all"],
    )
  })

  it("is given back once when what held it ends, and nothing is taken for it afterwards", () => {
    const shares = new Shares()
    const holding = new Holding(shares, { peer: "a", network: "b" })
    assert.equal(holding.take("received", 10), true)
    holding.give("received", 4)
    assert.equal(shares.held("received"), 6)
    for (let i = 0; i < 2; i++) holding[Symbol.dispose]()
    assert.equal(holding.take("received", 1), false)
    holding.give("received", 6)
    assert.equal(shares.held("received"), 0)
  })

  it("is handed out in amounts, and forgets those who hold nothing", () => {
    const share = new Share({ peer: 100, network: 100, all: 1000 })
    for (let i = 0; i < 5_000; i++) {
      assert.equal(share.take(requester(`${i}`, `${i}`), 90), undefined)
      assert.equal(share.take(requester(`${i}`, `${i}`), 20), "peer")
      share.give(requester(`${i}`, `${i}`), 90)
    }
    assert.equal(share.held, 0)
    assert.equal(share.heldBy("peer", requester("7", "7")), 0)
  })
})
