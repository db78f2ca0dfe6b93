import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { PushPlaces } from "../src/push-places.js"

const groupOf = (number: number) => Uint8Array.of(number >> 8, number & 255)
const turn = () => new Promise((resolve) => setTimeout(resolve, 5))

/** Calls that never end, but for those whose number is in `ends`; and how many are under way. */
function open(timeoutMilliseconds = 60_000) {
  const faults: unknown[] = []
  const places = new PushPlaces({ timeoutMilliseconds, onError: (error) => faults.push(error) })
  const called: string[] = []
  const aborted: string[] = []
  const add = (host: string, group: number, call: () => Promise<"sent" | "gone"> = () => new Promise(() => {})) => {
    const registration = { endpoint: `https://${host}/`, groupId: groupOf(group) }
    const noting = (signal: AbortSignal) => {
      called.push(host)
      signal.addEventListener("abort", () => aborted.push(host))
      return call()
    }
    const hasRoom = places.hasRoom(registration)
    if (hasRoom) places.add(registration, { call: noting, onGone: async () => {} })
    return hasRoom
  }
  const sent = async () => "sent" as const
  return { add, called, aborted, faults, sent }
}

describe("the places of pushes", () => {
  it("are not all held by hosts that never answer, however many names and groups they have", async () => {
    const { add, called, sent } = open()
    add("push.good.example", 1, sent)
    await turn()
    for (let i = 0; i < 500; i++) add(`a.host${i}.example`, i + 10)
    for (let i = 0; i < 500; i++) add(`host${i}.one.example`, i + 10)
    await turn()
    // Those that were never called have sixteen, of which the names of one domain are two.
    const { length } = called
    assert.equal(length - 1, 16)
    assert.ok(called.filter((host) => host.endsWith(".one.example")).length <= 2)
    for (let i = 0; i < 200; i++) add("push.good.example", i, sent)
    await turn()
    assert.equal(called.length, length + 200)
  })

  it("are a few for a host and a group, also where it has answered before", async () => {
    const { add, called, sent } = open()
    for (const host of ["one.example", "two.example"]) add(host, 1, sent)
    await turn()
    called.length = 0
    for (let i = 0; i < 100; i++) add("one.example", i)
    for (let i = 0; i < 100; i++) add("two.example", 7)
    await turn()
    assert.equal(called.filter((host) => host === "one.example").length, 16)
    // One of the first host's is of this group.
    assert.equal(called.filter((host) => host === "two.example").length, 7)
  })

  it("are free again after the time that an endpoint may take, and its host has fewer from then on", async () => {
    const { add, called, aborted, faults, sent } = open(20)
    add("one.example", 1, sent)
    await turn()
    called.length = 0
    for (let i = 0; i < 16; i++) add("one.example", i)
    await turn()
    assert.equal(called.length, 16)
    await new Promise((resolve) => setTimeout(resolve, 60))
    assert.equal(aborted.length, 16)
    called.length = 0
    for (let i = 0; i < 16; i++) add("one.example", i)
    await turn()
    assert.equal(called.length, 2)
    add("failing.example", 1, () => Promise.reject(new Error("it failed")))
    await turn()
    assert.match(String(faults), /it failed/)
  })

  it("have a bounded queue, of which no host and no group has all", () => {
    const { add } = open()
    let ofHost = 0
    while (add("one.example", ofHost)) ofHost++
    let ofGroup = 0
    while (add(`host${ofGroup}.example.net`.replace(".example", ""), 7)) ofGroup++
    let others = 0
    while (add(`host${others}.org`, 1_000 + others)) others++
    assert.deepEqual([ofHost, ofGroup, others], [2_502, 1_007, 6_507])
  })
})
