import assert from "node:assert/strict"
import { test } from "node:test"
import { findRepeats, trace } from "@conclave/trace"
import { measureFlood } from "../../lab/flood.js"
import { CLIENT_ADDRESS, type Laboratory, missingPrivileges, SERVER_ADDRESS } from "../../lab/laboratory.js"
import { measureMiddlebox, middleboxes } from "../../lab/middleboxes.js"
import { observe } from "../../lab/recorded.js"
import { measureReplays } from "../../lab/replays.js"
import type { Sample } from "../../lab/roles/measured.js"
import type { Served } from "../../lab/roles/sealed.js"
import { laboratoryTest } from "../../lab/test-support.js"

const roles = new URL("../../lab/roles/sealed.js", import.meta.url)
const skip = missingPrivileges() ?? false

async function meet(laboratory: Laboratory, more: object = {}): Promise<void> {
  const serving = { port: 7700, host: SERVER_ADDRESS, clientAddress: CLIENT_ADDRESS, ...more }
  await laboratory.client.call(roles, "meet", await laboratory.server.call(roles, "serve", serving))
}

const request = (laboratory: Laboratory, replaySafe = true) =>
  laboratory.client.call<Sample>(roles, "request", { replaySafe })
const served = (laboratory: Laboratory) => laboratory.server.call<Served>(roles, "served")

laboratoryTest(
  "a sealed request is at the server in half a round trip and answered in one",
  { roundTripMilliseconds: 100 },
  async (laboratory) => {
    await meet(laboratory)
    const samples: Sample[] = []
    for (let n = 0; n < 6; n++) samples.push(await request(laboratory))

    const fastest = (time: (sample: Sample) => number) => Math.min(...samples.map(time))
    // An ordinary connection takes 150 and 200.
    assert.ok(fastest((sample) => sample.requestMilliseconds) < 100, JSON.stringify(samples))
    assert.ok(fastest((sample) => sample.replyMilliseconds) < 150, JSON.stringify(samples))
    const { executed, early, admissions } = await served(laboratory)
    assert.deepEqual([executed, early, admissions.byToken], [6, 6, 6])
  },
)

laboratoryTest(
  "without a token the answer waits for the handshake; with it comes a stock of tokens",
  { roundTripMilliseconds: 150 },
  async (laboratory) => {
    await meet(laboratory, { clientAddress: undefined })

    const first = await request(laboratory)
    assert.ok(first.requestMilliseconds > 220, `${first.requestMilliseconds} ms`)
    assert.equal((await served(laboratory)).admissions.held, 1)
    await new Promise((resolve) => setTimeout(resolve, 50))
    assert.equal(await laboratory.client.call(roles, "tokenCount"), 8)

    await request(laboratory)
    const { admissions } = await served(laboratory)
    assert.deepEqual([admissions.byToken, admissions.proven], [1, 1])
  },
)

laboratoryTest(
  "a token of another network is no token",
  { roundTripMilliseconds: 150, translatedAddress: "203.0.113.5" },
  async (laboratory) => {
    await meet(laboratory)
    await request(laboratory)
    const { admissions } = await served(laboratory)
    assert.deepEqual([admissions.byToken, admissions.held, admissions.proven], [0, 1, 1])
  },
)

laboratoryTest(
  "no string of eight bytes occurs in two connections, whatever the path does, and no cookie in any",
  { roundTripMilliseconds: 4 },
  async (laboratory) => {
    await meet(laboratory)
    const experiment = async () => {
      for (const middlebox of ["none", "strip", "drop"] as const) {
        await laboratory.change({ middlebox })
        for (let n = 0; n < 4; n++) await request(laboratory, n % 2 === 0)
      }
    }
    await observe(laboratory, experiment, async (file) => {
      const report = await trace(file)
      assert.ok(report.connections.length >= 12, `${report.connections.length} connections`)
      assert.ok(report.connections.some(({ synDataBytes }) => synDataBytes > 200))
      assert.equal(report.carriers.cookies, 0)
      assert.deepEqual(
        report.links.map(({ kind }) => kind),
        ["address"],
      )
      assert.deepEqual(await findRepeats(file), [])
    })
  },
)

laboratoryTest(
  "a subscription's first response takes one round trip too",
  { roundTripMilliseconds: 100 },
  async (laboratory) => {
    await meet(laboratory)
    await request(laboratory)
    const replies: number[] = []
    for (let n = 0; n < 4; n++) {
      const [sample] = await laboratory.client.call<Sample[]>(roles, "subscribe", 1)
      replies.push(sample!.replyMilliseconds)
    }
    assert.ok(Math.min(...replies) < 150, JSON.stringify(replies))
    assert.equal((await served(laboratory)).early, 5)
  },
)

laboratoryTest(
  "behind a wall the fallback answers after three seconds, and from then on at once",
  { roundTripMilliseconds: 10 },
  async (laboratory) => {
    const serving = { port: 7700, host: SERVER_ADDRESS, clientAddress: CLIENT_ADDRESS }
    const offer = await laboratory.server.call(roles, "serve", serving)
    await laboratory.client.call(roles, "meet", offer, { elsewhere: true })
    await laboratory.change({ cut: true })

    const first = await request(laboratory)
    assert.ok(first.replyMilliseconds > 2900 && first.replyMilliseconds < 5000, `${first.replyMilliseconds} ms`)
    const second = await request(laboratory)
    assert.ok(second.replyMilliseconds < 500, `${second.replyMilliseconds} ms`)
    assert.equal((await served(laboratory)).executed, 0)
  },
)

for (const middlebox of middleboxes) {
  test(`a path on which SYN data is treated as "${middlebox}" costs time and never a second execution`, {
    skip,
    timeout: 60_000,
  }, async () => {
    const { requests, executed, most, laterMilliseconds } = await measureMiddlebox(middlebox, {
      roundTripMilliseconds: 20,
      requests: 4,
    })
    assert.equal(executed, requests)
    assert.equal(most, 1)
    assert.ok(laterMilliseconds < 250, `${laterMilliseconds} ms`)
  })
}

test("a recorded first flight that is sent again a thousand times runs once, across a restart too", {
  skip,
  timeout: 60_000,
}, async () => {
  const report = await measureReplays(1000)
  assert.ok(report.replays >= 1000)
  assert.equal(report.executedBefore, 1)
  assert.equal(report.executedAfterRestart, 0)
  assert.ok(report.answered > 0, "the replays reached the server")
})

test("a flood of spoofed first flights leaves clients with tokens on the fast path", {
  skip,
  timeout: 120_000,
}, async () => {
  let fast = 0
  // Held without a budget, the flood fills the kernel's queue within a second, and four in ten are fast, on any machine. With
  // it, all are, but for a machine so busy that a first flight waits for a second: that is looked at again.
  for (let tries = 0; tries < 3 && fast < 0.6; tries++) {
    // On a long way a server whose process waits for a processor still answers before the handshake has ended.
    const report = await measureFlood({ perSecond: 1000, seconds: 3, roundTripMilliseconds: 400 })
    assert.equal(report.failed, 0)
    assert.ok(report.admissions.aborted > 1000, "the flood was turned away")
    assert.ok(report.admissions.waiting <= 256)
    assert.ok(report.memoryGrownBytes < 128 * 2 ** 20)
    fast = Math.max(fast, report.fast / report.requests)
    console.log(`${report.fast} of ${report.requests} requests on the fast path`)
  }
  assert.ok(fast >= 0.6, `${fast} of the requests`)
})
