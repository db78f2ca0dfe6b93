import { createServer, connect as dial, type Socket } from "node:net"
import type { TestContext } from "node:test"

/** Stands between a client and its server, and ends connections when a client has sent what is looked for. */
export interface CuttingProxy {
  readonly port: number
  /**
   * The next connection on which a client sends `text` is cut, once: `before` the server gets it, or `after` the server has
   * answered, so that only the answer is lost.
   */
  cut(text: string, when: "before" | "after"): void
  /** How often it has cut a connection. */
  readonly cuts: number
}

export async function cuttingProxy(test: TestContext, { port }: { readonly port: number }): Promise<CuttingProxy> {
  let looked: { readonly text: string; readonly when: "before" | "after" } | undefined
  let cuts = 0
  const sockets = new Set<Socket>()
  const proxy = createServer((client) => {
    const server = dial(port, "127.0.0.1")
    let isAnswerLost = false
    for (const socket of [client, server]) {
      sockets.add(socket)
      socket.on("error", () => {})
    }
    const end = () => {
      cuts++
      client.destroy()
      server.destroy()
    }
    client.on("data", (chunk) => {
      const cut = looked !== undefined && chunk.includes(looked.text) ? looked.when : undefined
      if (cut !== undefined) looked = undefined
      if (cut === "before") return end()
      isAnswerLost ||= cut === "after"
      server.write(chunk)
    })
    server.on("data", (chunk) => (isAnswerLost ? end() : client.write(chunk)))
    client.on("close", () => server.destroy())
    server.on("close", () => client.destroy())
  })
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve))
  test.after(() => {
    for (const socket of sockets) socket.destroy()
    proxy.close()
  })
  return {
    port: (proxy.address() as { readonly port: number }).port,
    cut(text, when) {
      looked = { text, when }
    },
    get cuts() {
      return cuts
    },
  }
}
