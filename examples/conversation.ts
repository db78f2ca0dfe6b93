import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { openClient } from "@conclave/client/node"

const service = process.env.CONCLAVE_SERVER ?? "http://127.0.0.1:7080" // npm start
const folder = mkdtempSync(join(tmpdir(), "conclave-"))
const alice = await openClient({ name: `alice-${process.pid}`, service, profile: join(folder, "alice.db") })
const bob = await openClient({ name: `bob-${process.pid}`, service, profile: join(folder, "bob.db") })

const team = await alice.createConversation({ title: "team", members: [bob.name] })
await team.send("hello, bob")

for await (const event of bob.events()) {
  if (event.type !== "message") continue
  console.log(`${event.from}: ${event.text}`)
  console.log(`safety code: ${event.conversation.safetyCode(alice.name)}`)
  break
}
await alice.close()
await bob.close()
