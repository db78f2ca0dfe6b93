import assert from "node:assert/strict"
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, it, type TestContext } from "node:test"
import { decode } from "@conclave/codec"
import { blobHash } from "@conclave/contracts/blobs"
import { DeliveryResponse, deliveryRequests } from "@conclave/contracts/delivery"
import { type BareRequest, createGroupRequest, random, sha256, withAccess } from "@conclave/testing/delivery"
import { connect } from "@conclave/transport/node"
import { createServer, type ServerOptions } from "../src/index.js"

const folderOf = (test: TestContext) => {
  const folder = mkdtempSync(join(tmpdir(), "conclave-server-blobs-"))
  test.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A server over real sockets, and a way to ask it. */
async function served(options: ServerOptions) {
  const conclave = await createServer(options)
  const { url } = await conclave.listen()
  const transport = connect(new URL("delivery", url))
  const ask = async (request: BareRequest) => {
    const bytes = deliveryRequests.encode(withAccess(request, { at: Date.now() }))
    return decode(DeliveryResponse, await transport.request(bytes))
  }
  const close = async () => {
    await transport[Symbol.asyncDispose]()
    await conclave.close()
  }
  return { ask, [Symbol.asyncDispose]: close }
}

async function upload({ ask }: Pick<Awaited<ReturnType<typeof served>>, "ask">, groupId: Uint8Array) {
  const [id, bytes] = [random(32), random(1_000)]
  const size = 1_000n
  const created = await ask({ type: "createBlob", groupId, id, size, lifetimeSeconds: 60, deletion: random(32) })
  const hash = blobHash(sha256, size, [sha256(bytes)])
  const put = await ask({ type: "putBlob", groupId, id, offset: 0n, bytes, hash })
  return { types: [created.type, put.type], id, bytes }
}

describe("blobs of a server", { timeout: 20_000 }, () => {
  it("lie in a file beside that of the service, made for the first, and are there after a restart", async (test) => {
    const file = join(folderOf(test), "service.db")
    const group = createGroupRequest(random(32))
    let blob: Awaited<ReturnType<typeof upload>>
    {
      await using server = await served({ file })
      assert.equal((await server.ask(group)).type, "done")
      const nobodys = { id: random(32), offset: 0n, length: 9 }
      assert.equal((await server.ask({ type: "readBlob", ...nobodys })).type, "notFound")
      assert.equal(existsSync(`${file}.blobs`), false)
      blob = await upload(server, group.groupId)
      assert.deepEqual(blob.types, ["blob", "blob"])
      assert.equal(statSync(`${file}.blobs`).mode & 0o077, 0)
    }
    await using server = await served({ file })
    const read = await server.ask({ type: "readBlob", id: blob.id, offset: 990n, length: 99 })
    assert.deepEqual(read, { type: "blobBytes", size: 1_000n, bytes: blob.bytes.slice(990) })
  })

  it("are within a quota of their own, and none are kept where the operator says so", async (test) => {
    const folder = folderOf(test)
    const limits = { delivery: { blobBytesPerGroupMax: 1e9 } }
    await using small = await served({ file: join(folder, "small.db"), quota: 1024 * 1024, limits })
    const group = createGroupRequest(random(32))
    await small.ask(group)
    assert.deepEqual((await upload(small, group.groupId)).types, ["blob", "blob"])
    const large = { size: 1024n * 1024n, lifetimeSeconds: 60, deletion: random(32) }
    const refused = await small.ask({ type: "createBlob", groupId: group.groupId, id: random(32), ...large })
    assert.deepEqual(refused, { type: "quotaExceeded", of: "service" })
    await using without = await served({ file: join(folder, "without.db"), keepsBlobs: false })
    await without.ask(group)
    assert.deepEqual((await upload(without, group.groupId)).types, ["forbidden", "forbidden"])
  })
})
