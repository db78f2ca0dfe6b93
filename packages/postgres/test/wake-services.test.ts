import assert from "node:assert/strict"
import { after, before, describe, it } from "node:test"
import { memoryStore } from "@conclave/delivery"
import { createGroup, createService, expectType, messageRequest, sha256 } from "@conclave/testing/delivery"
import { buses } from "./buses.js"

for (const [name, { reason, start }] of Object.entries(buses)) {
  describe(`services that wake each other by ${name}`, { skip: reason ?? false, timeout: 60_000 }, () => {
    let started: Awaited<ReturnType<typeof start>>
    before(async () => {
      started = await start()
    })
    after(() => started.server[Symbol.asyncDispose]())

    it("bring what the other took, by the poll alone while the server is down, and then by hints again", async (test) => {
      const bus = await started.busOf(test)
      const store = memoryStore(sha256)
      const told: string[] = []
      const on = (pollMilliseconds: number) => {
        const wake = bus.wake({ onLost: () => void told.push("lost"), onRegained: () => void told.push("regained") })
        return createService(store, { wake, limits: { pollMilliseconds } })
      }
      const [taking, polling, hintsOnly] = [on(600_000), on(100), on(600_000)]
      const groupId = await createGroup(taking)
      const gone = new AbortController()
      test.after(() => gone.abort())
      const request = {
        type: "subscribe",
        cursors: [{ groupId, afterSeq: 0n }],
        inboxAfter: 0n,
        proof: undefined,
      } as const
      const follow = (service: typeof taking) => {
        const stream = service.subscribe(request, gone.signal)
        return async () => expectType((await stream.next()).value!, "entries").entries.map(({ seq }) => seq)
      }
      const [byPoll, byHint] = [follow(polling), follow(hintsOnly)]
      assert.deepEqual([await byPoll(), await byHint()], [[], []])
      const append = async () => void expectType(await taking.ask(messageRequest(groupId, 0n)), "accepted")

      // Whichever gateway connects last looks at everything then.
      await append()
      assert.deepEqual([await byPoll(), await byHint()], [[1n], [1n]])

      // It is asked for now, so that a hint that comes twice is used up before there is an entry.
      const late = byHint()
      await bus.stop("SIGKILL")
      while (told.length < 3) await pause(5)
      await pause(50)
      await append()
      assert.deepEqual(await byPoll(), [2n])
      assert.equal(await Promise.race([late.then(() => true), pause(0).then(() => false)]), false)

      await bus.start()
      assert.deepEqual(await late, [2n])
      while (told.length < 6) await pause(5)
      // The last look at everything that is due is over.
      await pause(1_100)
      for (let seq = 3n; seq < 8n; seq++) {
        await append()
        assert.deepEqual(await byHint(), [seq])
      }
    })
  })
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))
