// Two people talk through both services in their own process, without a socket.
import { mkdtempSync } from "node:fs"
import { join } from "node:path"
import { authenticationService, directoryOf } from "@conclave/auth"
import { Client, sqliteStore } from "@conclave/client/node"
import { nodeProvider } from "@conclave/crypto/node"
import { deliveryService } from "@conclave/delivery"
import { authStore, deliveryStore, openDatabase } from "@conclave/sqlite"
import { directTransport } from "@conclave/transport"

const crypto = nodeProvider()
const folder = mkdtempSync("embedded-")
await using database = openDatabase({ file: join(folder, "service.db") })
const names = authStore(database)
const groups = deliveryStore(database, crypto.hashes["SHA-256"]!.digest)
const auth = authenticationService({ store: names, crypto })
const delivery = deliveryService({ store: groups, crypto, directory: directoryOf(names) })

function open(name: string): Promise<Client> {
  return Client.open({
    name,
    store: sqliteStore(join(folder, `${name}.db`)),
    sealingKey: crypto.random(32),
    provider: crypto,
    auth: directTransport(auth),
    delivery: directTransport(delivery),
  })
}

await using alice = await open("alice")
await using bob = await open("bob")
const team = await alice.createConversation({ title: "team", members: ["bob"] })
await team.send("hello, bob")
for await (const event of bob.events()) {
  if (event.type !== "message") continue
  console.log(`${event.from}: ${event.text}`)
  break
}
