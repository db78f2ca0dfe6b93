import assert from "node:assert/strict"
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { after, before, describe, it } from "node:test"
import { fileURLToPath } from "node:url"
import type { Conversation } from "@conclave/client/node"
import { firstConversation } from "../src/chat/first-conversation.js"
import { Folder, runHere, Service } from "./support.js"

describe("the conversation that a chat begins in", () => {
  const conversation = (id: string, more: object = {}) =>
    ({ id, status: "active", missing: false, history: async () => [], ...more }) as unknown as Conversation
  const said = (minute: number) => ({ history: async () => [{ sentAt: new Date(2026, 0, 1, 0, minute) }] })
  const first = async (last: string | undefined, ...all: readonly Conversation[]) =>
    (await firstConversation(all, last))?.id

  it("is the one that needs a decision, or else the one used last, or else the one with the latest message", async () => {
    const [a, b, c] = [conversation("a", said(1)), conversation("b", said(3)), conversation("c", said(2))]
    assert.equal(await first("a", a, b, c), "a")
    assert.equal(await first(undefined, a, b, c), "b")
    assert.equal(await first("gone", a, b, c), "b")
    for (const stuck of [{ status: "stopped" }, { status: "halted" }, { status: "recovering" }, { missing: true }]) {
      assert.equal(await first("a", a, b, conversation("s", stuck)), "s")
    }
  })

  it("is none that is over, or only an invitation", async () => {
    const closed = ["left", "lost", "continued", "invited"].map((status) => conversation(status, { status }))
    assert.equal(await first("left", ...closed), undefined)
    assert.equal(await first("left", ...closed, conversation("a")), "a")
  })
})

describe("conclave chat, with several conversations", () => {
  let service: Service
  before(async () => {
    service = await Service.start()
    await service.gather("team", "alice", "bob")
  })
  after(() => service[Symbol.asyncDispose]())
  const chat = (...lines: readonly string[]) =>
    runHere(["chat", "--as", "alice", ...service.place], { input: `${lines.join("\n")}\n` })

  it("is in the one used last at once, for what is piped in", async () => {
    await chat("hello", '/new "other things"', "/open team", "/history")
    const { code, output } = await chat("/history")
    assert.equal(code, 0)
    assert.match(output.toString(), /^\d\d:\d\d alice: hello$/m)
    await chat("/open other things")
    assert.equal((await chat("/history")).output.toString(), "nothing has been said in other things yet\n")
    await chat("/open team")
  })

  it("says a line where nothing is done", async () => {
    const { code, output } = await chat("/remove nobody bob2", "/title team", "/invite bob")
    assert.equal(code, 0)
    assert.equal(
      output.toString(),
      'nobody is not in this conversation\nbob2 is not in this conversation\nit is called "team" already\nbob is already a member\n',
    )
  })

  it("opens without the service, shows what was said, and keeps what is written until it answers", async () => {
    await service.stop()
    const { code, output, errors } = await chat("/history", "written offline", "/invite carol", "/history")
    assert.equal(code, 1)
    assert.match(errors, /^note: nothing listens at \S+; .*; what is written is kept and sent later\n$/)
    const [first, ...rest] = output.toString().trimEnd().split("\n")
    assert.match(first!, /^\d\d:\d\d alice: hello$/)
    assert.equal(rest[0], "the message is kept, and waits for the service")
    assert.equal(rest[1], "/invite is kept, and waits for the service")
    assert.match(rest.at(-1)!, /^\d\d:\d\d alice: written offline \(waits\)$/)
    const reading = await chat("/history")
    assert.equal(reading.code, 0, "to read is no failure")
    await using again = await Service.start(service.folder, service.port)
    await chat("/history")
    const received = await again.here(["receive", "--as", "bob", "--count", "2", "--lines"])
    assert.equal(received.output.toString(), "hello\nwritten offline\n")
  })
})

const noTerminal = spawnSync("script", ["--version"]).status === 0 ? false : "needs script(1), for a terminal"

describe("conclave chat in a terminal", { skip: noTerminal }, () => {
  const binary = fileURLToPath(new URL("../../bin/conclave.js", import.meta.url))

  /** In a pseudo terminal, whose screen is a file as long as the program runs. */
  class Chat implements AsyncDisposable {
    readonly #child: ChildProcess
    screen = ""

    constructor(words: readonly string[]) {
      const line = [process.execPath, binary, "chat", ...words].map((word) => `'${word}'`).join(" ")
      this.#child = spawn("script", ["-qec", line, "/dev/null"], { env: { ...process.env, TERM: "xterm" } })
      // It may have ended before it is told to.
      this.#child.stdin!.on("error", () => {})
      this.#child.stdout!.on("data", (part) => {
        this.screen += part
      })
    }

    get pid(): number {
      const { stdout } = spawnSync("pgrep", ["-P", String(this.#child.pid)], { encoding: "utf8" })
      const inner = spawnSync("pgrep", ["-P", stdout.trim()], { encoding: "utf8" }).stdout.trim()
      return Number(inner || stdout)
    }

    async until(text: string): Promise<void> {
      const deadline = performance.now() + 20_000
      while (!this.screen.includes(text)) {
        assert.ok(performance.now() < deadline, `no ${JSON.stringify(text)} in ${JSON.stringify(this.screen)}`)
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }

    type(text: string): void {
      this.#child.stdin!.write(text)
    }

    async end(): Promise<void> {
      if (this.#child.exitCode !== null) return
      const ended = new Promise((resolve) => this.#child.once("close", resolve))
      this.type("\x15\x04")
      await ended
    }

    async [Symbol.asyncDispose](): Promise<void> {
      await this.end()
    }
  }

  it("sends what is pasted as one message, and carries out nothing of it", async () => {
    await using service = await Service.start()
    await service.gather("team", "alice", "bob")
    await using chat = new Chat(["--as", "alice", ...service.place])
    await chat.until("team")
    assert.ok(chat.screen.includes("\x1b[?2004h"))
    chat.type("\x1b[200~/remove bob\r  indented\r\x1b[201~")
    await chat.until("/remove bob↵  indented↵")
    chat.type("\r")
    const received = await service.here(["receive", "--as", "bob", "--json", "--timeout", "20"])
    assert.equal(JSON.parse(received.output.toString()).text, "/remove bob\n  indented")
    await chat.end()
    assert.ok(chat.screen.trimEnd().endsWith("\x1b[?2004l"), JSON.stringify(chat.screen.slice(-40)))
    assert.doesNotMatch(chat.screen, /removed bob/)
  })

  it("gives the terminal back when it is ended by a signal, or by a fault", async () => {
    await using service = await Service.start()
    await service.gather("team", "alice", "bob")
    for (const signal of ["SIGTERM", "SIGHUP"] as const) {
      await using chat = new Chat(["--as", "alice", ...service.place])
      await chat.until("team")
      process.kill(chat.pid, signal)
      await chat.until("\x1b[?2004l")
    }
    using folder = new Folder()
    const faulty = folder.file("fault.cjs")
    writeFileSync(faulty, 'process.on("SIGUSR2", () => { throw new Error("a fault") })')
    const { NODE_OPTIONS } = process.env
    process.env.NODE_OPTIONS = `--require ${faulty}`
    try {
      await using chat = new Chat(["--as", "alice", ...service.place])
      await chat.until("team")
      process.kill(chat.pid, "SIGUSR2")
      await chat.until("a fault")
      await chat.until("\x1b[?2004l")
    } finally {
      if (NODE_OPTIONS === undefined) delete process.env.NODE_OPTIONS
      else process.env.NODE_OPTIONS = NODE_OPTIONS
    }
  })

  it("says in one line that the service does not answer, and goes on", async () => {
    const service = await Service.start()
    await using _service = service
    await service.gather("team", "alice", "bob")
    await service.stop()
    await using chat = new Chat(["--as", "alice", ...service.place])
    await chat.until("what is written is kept and sent later")
    assert.equal(chat.screen.split("nothing listens").length, 2)
    chat.type("kept\r")
    await chat.until("1 waiting")
    chat.type("/invite carol\r/members\r")
    await chat.until("/invite is kept, and waits for the service")
    await chat.until("bob\r\n")
  })
})
