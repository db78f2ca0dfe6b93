import type { Client } from "@conclave/client/node"
import { median, table } from "./contest.js"
import { goals } from "./sdk/goals.js"
import { type Counted, Scene } from "./sdk/scene.js"

/*
 * What the SDK costs around the protocol: profiles in SQLite files, the services on SQLite in memory, no network. For what is
 * written and sent, they are in this process; for the goals, in another one.
 * It says nothing of a service or a line; compared with the same program at another commit, it says what a change of the
 * SDK is worth.
 */

/** The next `count` messages, each acknowledged. */
async function read(client: Client, count: number): Promise<void> {
  let left = count
  for await (const event of client.events()) {
    if (event.type !== "message" || --left > 0) continue
    await client.acknowledge(event.number)
    return
  }
}

async function pair(scene: Scene, live: boolean) {
  const [alice, bob] = [await scene.open("alice"), await scene.open("bob", { live })]
  const team = await alice.client.createConversation({ members: ["bob"] })
  await bob.client.sync()
  await team.send("hello")
  await bob.client.sync()
  await read(bob.client, 1)
  for await (const event of alice.client.events()) {
    if (event.type !== "sent") continue
    await alice.client.acknowledge(event.number)
    break
  }
  return { alice, bob, team }
}

/** Transactions and bytes that one message costs, with 100 characters, sent and received, events acknowledged or not. */
async function writes(): Promise<readonly string[][]> {
  const scene = Scene.here()
  const { alice, bob, team } = await pair(scene, true)
  const count = 100
  const text = "x".repeat(100)
  await new Promise((resolve) => setTimeout(resolve, 200))
  const before = [alice.store, bob.store].map(({ transactions, bytes }) => ({ transactions, bytes }))
  const reading = read(bob.client, count)
  for (let i = 0; i < count; i++) {
    await team.send(text)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await reading
  const row = (what: string, at: number, { transactions, bytes }: Counted) => [
    what,
    ((transactions - before[at]!.transactions) / count).toFixed(2),
    ((bytes - before[at]!.bytes) / count).toFixed(0),
  ]
  const rows = [row("sent, one at a time", 0, alice.store), row("received, event read and acknowledged", 1, bob.store)]
  await scene.close()
  return rows
}

async function sending(outstanding: number, total: number): Promise<number> {
  const scene = Scene.here()
  const { team } = await pair(scene, false)
  const start = performance.now()
  let next = 0
  const sender = async () => {
    while (next++ < total) await team.send("hello")
  }
  await Promise.all(Array.from({ length: outstanding }, sender))
  const perSecond = (total / (performance.now() - start)) * 1000
  await scene.close()
  return perSecond
}

export async function sdk(rounds: number, quick: boolean): Promise<void> {
  console.log("\nWhat one message writes: durable transactions, and bytes of keys and sealed values.")
  console.log(table([["", "transactions", "bytes"], ...(await writes())]))
  const rows: string[][] = []
  for (const outstanding of quick ? [1, 50] : [1, 50, 500, 5_000]) {
    const rates: number[] = []
    const total = Math.max(quick ? 200 : 1_000, outstanding)
    for (let round = 0; round < rounds; round++) rates.push(await sending(outstanding, total))
    rows.push([`sent, ${outstanding} outstanding`, `${median(rates).toFixed(0)}/s`])
  }
  console.log(table([["", "median"], ...rows]))
  await goals(rounds, quick)
}
