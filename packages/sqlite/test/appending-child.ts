/** Appends to a group as fast as it can, and tells its parent of each acknowledgement, until it is killed. */

import { createGroupRequest, createService, expectType, messageRequest, sha256 } from "@conclave/testing/delivery"
import { openDatabase } from "../src/database.js"
import { deliveryStore } from "../src/delivery/store.js"

const [file, group] = process.argv.slice(2)
const groupId = new Uint8Array(Buffer.from(group!, "hex"))
const limits = { appends: { perSecond: 1e9, burst: 1e9 } }
const service = createService(deliveryStore(openDatabase({ file: file! }), sha256), { limits })
expectType(await service.ask(createGroupRequest(groupId)), "done")

async function appendForEver(): Promise<void> {
  for (;;) {
    const request = messageRequest(groupId, 0n, { size: 200 })
    const { seq } = expectType(await service.ask(request), "accepted")
    process.send!({ seq: `${seq}`, bodyHash: Buffer.from(sha256(request.body)).toString("hex") })
  }
}
await Promise.all(Array.from({ length: 8 }, appendForEver))
