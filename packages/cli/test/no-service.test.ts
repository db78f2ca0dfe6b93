import assert from "node:assert/strict"
import { type AddressInfo, createServer, type Socket } from "node:net"
import { describe, it } from "node:test"
import { ClientError } from "@conclave/client/node"
import { readable } from "../src/profile.js"
import { assertReadable, conclave, Folder } from "./support.js"

describe("without a service", () => {
  it("every command that needs one says so and ends with 1", async () => {
    using folder = new Folder()
    const address = await answering((socket) => socket.destroy()).then(async (server) => {
      await server[Symbol.asyncDispose]()
      return server.address
    })
    const place = ["--server", address, "--data", folder.path]
    for (const words of [
      ["send", "--as", "alice", "--to", "team"],
      ["receive", "--as", "alice"],
      ["chat", "--as", "alice"],
    ]) {
      const ran = await conclave([...words, ...place], { input: "hello" })
      assert.equal(ran.code, 1)
      assertReadable(ran, /no service answers at http:\/\/127\.0\.0\.1:\d+; conclave serve starts one/)
    }
  })

  it("says what it is where something else than a service answers, or one under another name", async () => {
    using folder = new Folder()
    const said = async (answer: string) => {
      await using server = await answering((socket) => socket.once("data", () => socket.end(answer)))
      return await conclave(["receive", "--as", "alice", "--server", server.address, "--data", folder.path])
    }
    const empty = "content-length: 0\r\nconnection: close\r\n\r\n"
    const other = await said(`HTTP/1.1 404 Not Found\r\n${empty}`)
    assertReadable(other, /the service at \S+ cannot be used: the server answered 404/)
    assertReadable(await said("220 mail.example ESMTP\r\n"), /cannot be used: cannot reach http:\S+: .*Expected HTTP/)
    const misdirected = await said(`HTTP/1.1 421 Misdirected Request\r\n${empty}`)
    assertReadable(misdirected, /does not answer to the name 127\.0\.0\.1: allow it there with --allow-host$/m)
  })

  it("says until when a service is busy", () => {
    const retryAt = new Date(2026, 0, 1, 0, 16)
    const choice = { as: "alice", server: new URL("http://host/"), data: undefined, "fast-open": false } as const
    const error = new ClientError("UNAVAILABLE", "the Delivery Service is busy", undefined, retryAt)
    const said = readable(error, { ...choice, "server-key": undefined })
    assert.match(String(said), /the service at http:\/\/host is busy until 00:16; try again then$/)
  })
})

async function answering(answer: (socket: Socket) => void) {
  const server = createServer((socket) => answer(socket.on("error", () => {})))
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const close = () => new Promise<void>((resolve) => server.close(() => resolve()))
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: close,
  }
}
