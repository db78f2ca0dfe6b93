/**
 * Appends to a group until there are as many entries as asked for, and writes down beside the database what it asks for and what
 * was acknowledged.
 */

import { openSync, writeSync } from "node:fs"
import { join } from "node:path"
import { createGroupRequest, createService, expectType, messageRequest, sha256 } from "@conclave/testing/delivery"
import { openDatabase } from "../src/database.js"
import { deliveryStore } from "../src/delivery/store.js"

const [folder, group, count] = process.argv.slice(2)
const groupId = new Uint8Array(Buffer.from(group!, "hex"))
const limits = { appends: { perSecond: 1e9, burst: 1e9 } }
const said = openSync(join(folder!, "said"), "a")
const say = (...words: readonly string[]) => writeSync(said, `${words.join(" ")}\n`)
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")

const service = createService(deliveryStore(openDatabase({ file: join(folder!, "service.db") }), sha256), { limits })
expectType(await service.ask(createGroupRequest(groupId)), "done")
say("created")

let left = Number(count)
async function append(): Promise<void> {
  while (left-- > 0) {
    const request = messageRequest(groupId, 0n, { size: 6000 })
    const body = hex(sha256(request.body))
    say("asked", body)
    const { seq, chainHash } = expectType(await service.ask(request), "accepted")
    say("accepted", body, `${seq}`, hex(chainHash))
  }
}
await Promise.all(Array.from({ length: 4 }, append))
process.exit(0)
