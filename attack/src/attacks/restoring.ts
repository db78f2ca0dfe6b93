import { copyFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { nodeProvider } from "@conclave/crypto/node"
import { raiseIncarnation } from "@conclave/delivery"
import { settleFile, updateUnpacked } from "@conclave/sqlite"
import { type Attack, outcome } from "../attack.js"
import { describe } from "../mallory.js"
import { Operator } from "../operator.js"
import type { Service } from "../service.js"
import { within } from "../timing.js"
import { eventsOf, inWords, settle, type World } from "../world.js"
import { withMember } from "./entering.js"

const sha256 = nodeProvider().hashes["SHA-256"]!.digest

/** Ends the service, does `work` with its file, and starts it where it was. */
async function whileDown(world: World, service: Service, work: (file: string) => void | Promise<void>) {
  await service.stop()
  // Into the file comes what is in its log.
  settleFile(service.file)
  await work(service.file)
  return await world.serve({ port: Number(service.url.port) })
}

const beforeTheEntrance: Attack = {
  id: "A11",
  title: "leads a newcomer elsewhere by a commit in front of the newcomer's own, which a restored service has lost",
  who: "member",
  async run(world) {
    let service = await world.service()
    const backup = join(world.folder, "backup.db")
    let isCut = false
    await using operator = await Operator.start(service.url, {
      async delivery({ type }) {
        if (isCut && (type === "read" || type === "head")) throw new Error("the line is broken")
        return undefined
      },
    })
    const { mallory, team } = await withMember(world, {}, ["alice", "carol"])
    const [alice, carol] = team.clients
    const dave = await world.open("dave", { service: operator.url })
    const other = await world.mallory("mona")
    const { lastCommit } = mallory
    service = await whileDown(world, service, (file) => copyFileSync(file, backup))
    // Dave opens the Welcome, and does not see the log.
    isCut = true
    const invited = await within(4_000, team.of("alice").invite("dave"))
    await settle(alice!, carol!)
    await mallory.follow()
    await settle(dave)
    if (dave.conversations.size !== 1) throw new Error(`Error: dave is not invited: ${invited.state}`)
    await whileDown(world, service, async (file) => {
      for (const suffix of ["-wal", "-shm"]) rmSync(file + suffix, { force: true })
      copyFileSync(backup, file)
      await updateUnpacked(file, sha256, (store) => raiseIncarnation(store, nodeProvider(), { to: 2n }))
    })
    mallory.lastCommit = lastCommit
    const nobody = { welcome: new Uint8Array() }
    const answer = await mallory.commit({ add: [other.keyPackage().keyPackage], path: false }, [], nobody)
    if (answer.type !== "accepted") throw new Error(`Error: the service takes no commit of hers: ${describe(answer)}`)
    isCut = false
    await settle(dave)
    await settle(alice!, carol!, dave)
    const [conversation] = dave.conversations.values()
    const isOf = (authenticator: Uint8Array) => Buffer.compare(conversation!.epochAuthenticator, authenticator) === 0
    const isLed = isOf(mallory.group!.epochAuthenticator)
    const told = (await eventsOf(dave)).filter(({ type }) => type === "rejected" || type === "service").map(inWords)
    const where = isLed ? "in her epoch" : isOf(team.of("alice").epochAuthenticator) ? "where alice is" : "elsewhere"
    return outcome(isLed, `dave: ${conversation!.status}, ${where}, ${told.join("; ")}`)
  },
}

export const restoring: readonly Attack[] = [beforeTheEntrance]
