import assert from "node:assert/strict"
import { createServer } from "node:net"
import { describe, it } from "node:test"
import { assertReadable, conclave, Folder } from "./support.js"

describe("without a service", () => {
  it("every command that needs one says so and ends with 1", async () => {
    using folder = new Folder()
    const server = createServer().listen(0, "127.0.0.1")
    await new Promise((resolve) => server.once("listening", resolve))
    const { port } = server.address() as { port: number }
    await new Promise((resolve) => server.close(resolve))
    const place = ["--server", `http://127.0.0.1:${port}`, "--data", folder.path]
    for (const words of [
      ["send", "--as", "alice", "--to", "team"],
      ["receive", "--as", "alice"],
      ["chat", "--as", "alice"],
    ]) {
      const ran = await conclave([...words, ...place], { input: "hello" })
      assert.equal(ran.code, 1)
      assertReadable(ran, /nothing listens at http:\/\/127\.0\.0\.1:\d+; conclave serve starts a service/)
    }
  })
})
