/**
 * Alice and bob talk by a service in the same process, everything in one folder; what alice has done is written down there as soon
 * as she is told so.
 */

import { openSync, writeSync } from "node:fs"
import { join } from "node:path"
import { openClient } from "../src/node.js"
import { World } from "./support/world.js"

const folder = process.argv[2]!
const said = openSync(join(folder, "said"), "a")
const world = new World({ folder, realClock: true })
const server = await world.server()
const { url } = await server.listen({ port: 0 })
const options = (name: string) =>
  ({ name, service: url, profile: join(folder, `${name}.db`), live: false, policy: { keyPackages: 2 } }) as const
let alice = await openClient(options("alice"))
const bob = await openClient(options("bob"))

let team = await alice.createConversation({ title: "team", members: ["bob"] })
writeSync(said, "created\n")
for (let round = 0; round < 8; round++) {
  for (const part of ["a", "b"]) {
    await team.send(`${round}${part}`)
    writeSync(said, `${round}${part}\n`)
  }
  await bob.sync()
  const bobs = bob.conversations.get(team.id)!
  await bobs.send(`answer ${round}`)
  if (round % 3 === 1) await bobs.refresh()
  await alice.sync()
  if (round % 3 === 2) await team.refresh()
  if (round === 4) {
    await alice.close()
    alice = await openClient(options("alice"))
    team = alice.conversations.get(team.id)!
  }
}
process.exit(0)
