// Two people talk through a service at CONCLAVE_SERVER over HTTP and WebSocket; with the word `sealed`, one of them by
// sealed requests.
import { mkdtempSync } from "node:fs"
import { join } from "node:path"
import { openClient } from "@conclave/client/node"

const service = process.env.CONCLAVE_SERVER!
const fastOpen = process.argv[2] === "sealed" ? "sealed" : "off"
const folder = mkdtempSync("connected-")
await using alice = await openClient({ name: "alice", service, profile: join(folder, "alice.db") })
await using bob = await openClient({
  ...{ name: "bob", service, profile: join(folder, "bob.db"), fastOpen },
  onFallback: (reason) => console.log(`without sealed requests: ${reason.message}`),
})

const team = await alice.createConversation({ title: "team", members: ["bob"] })
await team.send("hello, bob")
for await (const event of bob.events()) {
  if (event.type !== "message") continue
  console.log(`${event.from}: ${event.text}`)
  break
}
