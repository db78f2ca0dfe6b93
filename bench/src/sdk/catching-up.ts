import { type Client, memoryStore } from "@conclave/client/node"
import { Scene } from "./scene.js"
import { spent } from "./turns.js"

const SENDERS = 5

/** Messages per second that a device follows which was away, on SQLite; and the longest turn, in milliseconds. */
export async function catchingUp(of: { readonly messages: number; readonly conversations: number }) {
  const scene = Scene.apart()
  const names = Array.from({ length: SENDERS }, (_, index) => `sender-${index}`)
  const senders: Client[] = []
  for (const name of names) senders.push((await scene.open(name, { live: false }, memoryStore())).client)
  const { client: bob } = await scene.open("bob", { live: false, policy: { keyPackages: 200 } })
  const [first] = senders
  for (let made = 0; made < of.conversations; made++) {
    await first!.createConversation({ members: [...names.slice(1), "bob"] })
    await bob.sync()
  }
  for (const sender of senders) await sender.sync()
  const each = Math.ceil(of.messages / of.conversations / SENDERS)
  for (const sender of senders) {
    for (const conversation of sender.conversations.values()) {
      await Promise.all(Array.from({ length: each }, (_, at) => conversation.send(`message ${at}`)))
    }
  }
  const { total, longest, busiest } = await spent(() => bob.sync())
  const expected = each * SENDERS
  for (const conversation of bob.conversations.values()) {
    const history = await conversation.history({ limit: expected + 10 })
    if (history.length !== expected) throw new Error(`${history.length} messages have come instead of ${expected}`)
  }
  await scene.close()
  return { rate: (expected * of.conversations * 1_000) / total, longest, busiest }
}
