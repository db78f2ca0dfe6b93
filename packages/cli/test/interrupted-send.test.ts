import assert from "node:assert/strict"
import type { ChildProcess } from "node:child_process"
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net"
import { after, before, describe, it } from "node:test"
import { conclave, Service } from "./support.js"

/** 12 messages: 700,000 bytes. */
const document = Array.from(
  { length: 10_000 },
  (_, n) => `line ${String(n).padStart(6, "0")} ${".".repeat(57)}\n`,
).join("")

/** A line to the service that kills a process when so much has passed, before or after the service sees it. */
class Line implements AsyncDisposable {
  victim: ChildProcess | undefined
  killAfterBytes = Number.POSITIVE_INFINITY
  isAnswerLost = false
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #sent = 0

  private constructor(server: Server) {
    this.#server = server
  }

  static async open(service: Service): Promise<Line> {
    const server = createServer()
    const line = new Line(server)
    server.on("connection", (member) => line.#join(member, connect(service.port, "127.0.0.1")))
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    return line
  }

  get address(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  arm(killAfterBytes: number, isAnswerLost: boolean): void {
    this.#sent = 0
    this.killAfterBytes = killAfterBytes
    this.isAnswerLost = isAnswerLost
  }

  #join(member: Socket, service: Socket): void {
    for (const socket of [member, service]) {
      this.#sockets.add(socket)
      socket.on("error", () => {})
      socket.on("close", () => this.#sockets.delete(socket))
    }
    member.on("close", () => service.destroy())
    service.on("close", () => member.destroy())
    member.on("data", (chunk) => {
      this.#sent += chunk.length
      if (this.#isTime && !this.isAnswerLost) this.#kill()
      else service.write(chunk)
    })
    service.on("data", (chunk) => {
      if (this.#isTime && this.isAnswerLost) this.#kill()
      else member.write(chunk)
    })
  }

  get #isTime(): boolean {
    return this.#sent > this.killAfterBytes
  }

  #kill(): void {
    this.victim?.kill("SIGKILL")
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

describe("a send that is killed in the middle", () => {
  let service: Service
  let line: Line
  before(async () => {
    service = await Service.start()
    line = await Line.open(service)
  })
  after(async () => {
    await line[Symbol.asyncDispose]()
    await service[Symbol.asyncDispose]()
  })

  const run = (words: readonly string[], input = "") =>
    conclave([...words, "--server", line.address, "--data", service.folder.path], {
      input,
      started: (child) => {
        line.victim = child
      },
    })

  /** The difference of long texts would not fit on a page. */
  function assertSame(actual: string, expected: string): void {
    const lines = (text: string) => ({ lines: text.split("\n").length, first: text.slice(0, 40), end: text.slice(-40) })
    assert.deepEqual(lines(actual), lines(expected))
    assert.ok(actual === expected)
  }

  it("and run again, arrives exactly once, wherever it was", async () => {
    line.arm(Number.POSITIVE_INFINITY, false)
    assert.equal((await run(["receive", "--as", "bob", "--timeout", "0.01"])).code, 3)
    assert.equal((await run(["chat", "--as", "alice"], "/new team bob\n")).code, 0)
    assert.equal((await run(["receive", "--as", "bob", "--accept-invitations", "alice", "--timeout", "0.01"])).code, 3)
    // Bytes that leave for the service before the first and before the second kill.
    const moments = [
      { first: 0, second: 2_000 },
      { first: 40_000, second: 400_000 },
      { first: 690_000, second: 0 },
    ]
    for (const [round, { first, second }] of moments.entries()) {
      const input = `round ${round}\n${document}`
      const send = () => run(["send", "--as", "alice", "--to", "team"], input)
      line.arm(first, round % 2 === 1)
      assert.equal((await send()).code, null, "it was killed")
      line.arm(second, round % 2 === 0)
      assert.equal((await send()).code, null, "it was killed again")
      line.arm(Number.POSITIVE_INFINITY, false)
      const last = await send()
      assert.equal(last.code, 0, last.errors)
      assertSame((await run(["receive", "--as", "bob"])).output.toString(), input)
    }
  })

  it("does not hold back the same input when it is sent a second time on purpose", async () => {
    line.arm(Number.POSITIVE_INFINITY, false)
    for (let n = 0; n < 2; n++) assert.equal((await run(["send", "--as", "alice", "--to", "team"], "again\n")).code, 0)
    const { output } = await run(["receive", "--as", "bob", "--count", "2"])
    assertSame(output.toString(), "again\nagain\n")
  })

  it("says so when another input is sent instead", async () => {
    line.arm(150_000, true)
    assert.equal((await run(["send", "--as", "alice", "--to", "team"], document)).code, null)
    line.arm(Number.POSITIVE_INFINITY, false)
    const { code, errors } = await run(["send", "--as", "alice", "--to", "team"], "something else\n")
    assert.equal(code, 0)
    assert.match(errors, /an earlier input was not sent to its end/)
    const { output } = await run(["receive", "--as", "bob"])
    assert.ok(output.toString().endsWith("something else\n"))
    assert.ok(document.startsWith(output.toString().slice(0, -"something else\n".length)))
  })
})
