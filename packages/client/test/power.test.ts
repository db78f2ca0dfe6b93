import assert from "node:assert/strict"
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, before, describe, it } from "node:test"
import { fileURLToPath } from "node:url"
import { Disk, type DiskStep, noStrace, recordSteps, seeded } from "@conclave/testing/disk"
import type { ClientEvent } from "../src/index.js"
import { openClient } from "../src/node.js"
import { isWhole } from "./support/long.js"
import { consume, World } from "./support/world.js"

const LOSSES = isWhole ? 300 : 16

describe("a device whose power fails while it talks", { skip: noStrace ?? false }, () => {
  const seed = Math.floor(Math.random() * 2 ** 32)
  const folder = mkdtempSync(join(realpathSync(tmpdir()), "conclave-power-"))
  let steps: readonly DiskStep[] = []
  before(() => {
    console.log(`losses of power by seed ${seed}`)
    const first = join(folder, "first")
    mkdirSync(first)
    const child = fileURLToPath(new URL("./power-child.js", import.meta.url))
    steps = recordSteps(first, process.execPath, [child, first])
  })
  after(() => rmSync(folder, { recursive: true }))

  it("has all that it was told it had done, and talks on with the same keys", async (test) => {
    const chance = seeded(seed)
    const moments = Array.from({ length: LOSSES }, () => Math.floor(chance() * (steps.length + 1))).sort(
      (a, b) => a - b,
    )
    const disk = new Disk()
    let done = 0
    for (const [time, moment] of moments.entries()) {
      for (; done < moment; done++) disk.apply(steps[done]!)
      try {
        await requireGoingOn(join(folder, `${time}`), disk, chance)
      } catch (error) {
        throw new Error(`after step ${moment} of ${steps.length}, loss ${time} of seed ${seed}`, { cause: error })
      }
    }
    test.diagnostic(`${LOSSES} losses among ${steps.length} steps`)
  })

  /** Only alice's files are on the disk that lost its power. */
  async function requireGoingOn(own: string, disk: Disk, chance: () => number): Promise<void> {
    mkdirSync(own)
    const now = disk.now()
    const lost = disk.afterLoss(chance)
    for (const [name, bytes] of now) if (!name.startsWith("alice.")) writeFileSync(join(own, name), bytes)
    for (const [name, bytes] of lost) if (name.startsWith("alice.")) writeFileSync(join(own, name), bytes)
    const said = Buffer.from(now.get("said") ?? [])
      .toString()
      .split("\n")
      .filter(Boolean)

    await using world = new World({ folder: own, realClock: true })
    await using server = await world.server()
    const { url } = await server.listen({ port: 0 })
    const options = (name: string) =>
      ({ name, service: url, profile: join(own, `${name}.db`), live: false, policy: { keyPackages: 2 } }) as const
    await using alice = await openClient(options("alice"))
    await using bob = await openClient(options("bob"))
    await alice.sync()
    await bob.sync()
    const isCreated = said.length > 0
    const begun = [...alice.conversations.values()]
    assert.ok(begun.length === 1 || (begun.length === 0 && !isCreated), `${begun.length} conversations`)
    const team = begun[0] ?? (await alice.createConversation({ title: "team", members: ["bob"] }))
    if (!team.members.includes("bob")) await team.invite("bob")
    await team.send("again")
    await team.refresh()
    await team.send("and again")
    await bob.sync()
    await bob.conversations.get(team.id)!.send("heard")
    await alice.sync()
    const texts = async (who: typeof alice) => (await who.conversations.get(team.id)!.history()).map(({ text }) => text)
    assert.deepEqual(await texts(alice), await texts(bob))
    const all = await texts(alice)
    assert.deepEqual(all, [...new Set(all)], "each once")
    for (const text of said.slice(1)) assert.ok(all.includes(text!), `${text} is there`)
    assert.deepEqual(all.slice(-3), ["again", "and again", "heard"])
    for (const who of [alice, bob]) {
      const events: ClientEvent["type"][] = []
      await consume(who, ({ type }) => events.push(type))
      const usual = new Set(["joined", "title", "message", "members", "sent", "refreshed"])
      assert.deepEqual(
        events.filter((type) => !usual.has(type)),
        [],
      )
    }
    assert.deepEqual(world.faults, [])
  }
})
