import { Client, sqliteStore } from "@conclave/client/node"
import { nodeProvider } from "@conclave/crypto/node"
import { directTransport } from "@conclave/transport"
import type { Opened } from "./opening.js"
import { SEALING_KEY } from "./scene.js"

const [, , file, conversations] = process.argv
const provider = nodeProvider()
// What is registered already asks nobody when it is opened.
const nobody = () => directTransport(() => ({ [Symbol.asyncIterator]: () => ({ next: async () => ended }) }))
const ended = { done: true, value: undefined } as const

const opened: Opened = { cold: await open(), warm: await open() }
console.log(JSON.stringify(opened))

async function open(): Promise<number> {
  const start = performance.now()
  const client = await Client.open({
    name: "alice",
    store: sqliteStore(file!),
    delivery: nobody(),
    auth: nobody(),
    provider,
    sealingKey: SEALING_KEY,
    live: false,
  })
  const milliseconds = performance.now() - start
  if (client.conversations.size !== Number(conversations)) throw new Error("conversations are missing")
  await client.close()
  return milliseconds
}
