import assert from "node:assert/strict"
import { once } from "node:events"
import { createServer, request } from "node:http"
import { join } from "node:path"
import { PassThrough } from "node:stream"
import { it } from "node:test"
import { openClient } from "@conclave/client/node"
import { ChatSession } from "../src/chat/session.js"
import { glyphsFor, styleFor } from "../src/terminal/style.js"
import type { Terminal } from "../src/terminal/terminal.js"
import { Service } from "./support.js"

it("a chat whose WebSockets do not get through says so in one line, and in its prompt", {
  timeout: 60_000,
}, async () => {
  await using service = await Service.start()
  // Without `Upgrade`, as most guides write it.
  const proxy = createServer((asked, answer) => {
    const { upgrade: _, connection: __, ...headers } = asked.headers
    const { hostname, port, host } = new URL(service.address)
    const path = asked.url
    const passed = request(
      { hostname, port, path, method: asked.method, headers: { ...headers, host } },
      (answered) => {
        answer.writeHead(answered.statusCode!, answered.headers)
        answered.pipe(answer)
      },
    )
    passed.on("error", () => answer.destroy())
    asked.pipe(passed)
  })
  proxy.listen(0, "localhost")
  await once(proxy, "listening")
  const address = `http://localhost:${(proxy.address() as { port: number }).port}/`
  const output = new PassThrough()
  let screen = ""
  output.setEncoding("utf8").on("data", (text: string) => {
    screen += text
  })
  try {
    await using client = await openClient({
      name: "alice",
      service: address,
      profile: join(service.folder.path, "alice.profile"),
    })
    const session = new ChatSession(client, terminalOf(output))
    const running = session.run()
    for (const late = Date.now() + 20_000; !screen.includes("messages arrive with a delay"); ) {
      assert.ok(Date.now() < late, screen)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    await new Promise((resolve) => setTimeout(resolve, 3_000))
    assert.equal(screen.match(/messages arrive with a delay/g)?.length, 1, screen)
    session.end()
    await running
  } finally {
    proxy.close()
    proxy.closeAllConnections()
  }
})

/** Of somebody who sits in front of it, and without a cursor to move. */
function terminalOf(output: PassThrough): Terminal {
  const environment = { TERM: "dumb" }
  const tty = <T extends object>(stream: T) => Object.assign(stream, { isTTY: true })
  return {
    input: tty(new PassThrough()),
    output: tty(output),
    errors: tty(new PassThrough()),
    environment,
    style: styleFor(false, {}),
    errorStyle: styleFor(false, {}),
    glyphs: glyphsFor(environment, "linux"),
    write: async () => {},
    tell: () => {},
  }
}
