/** A person with the SDK for Node, in a process of its own: answers each message with `pong: ` and the message. */
import { openClient } from "@conclave/client/node"

const [service, profile, name] = process.argv.slice(2) as [string, string, string]
const tell = (fields: object) => console.log(JSON.stringify(fields))

const client = await openClient({ name, service, profile, sealingKey: new Uint8Array(32).fill(2) })
tell({ ready: true, polling: "line" in client })
for await (const event of client.events()) {
  await client.acknowledge(event.number)
  if (event.type !== "message") continue
  tell({ received: event.text, online: client.online })
  await event.conversation.send(`pong: ${event.text}`)
}
