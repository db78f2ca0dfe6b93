import assert from "node:assert/strict"
import { createHash, randomBytes } from "node:crypto"
import { existsSync, readFileSync, statSync } from "node:fs"
import { after, before, describe, it } from "node:test"
import { fileURLToPath } from "node:url"
import { assertReadable, conclave, type Ran, runHere, Service } from "./support.js"

/** A document of some length with more than ASCII in it: the project's own. */
const readme = readDocument("../../../../README.md") ?? readDocument("../../../../LICENSE") ?? "Grüße\n".repeat(2_000)

function readDocument(path: string): string | undefined {
  const file = fileURLToPath(new URL(path, import.meta.url))
  return existsSync(file) ? readFileSync(file, "utf8") : undefined
}

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex")

describe("conclave send and conclave receive", () => {
  let service: Service
  before(async () => {
    service = await Service.start()
    await service.gather("team", "alice", "bob")
  })
  after(() => service[Symbol.asyncDispose]())
  const toTeam = ["send", "--as", "alice", "--to", "team"]
  const sendByPipe = (input: string | Uint8Array) => service.ok(toTeam, { input })
  const send = (input: string | Uint8Array, to = "team") => service.here([...toTeam.slice(0, -1), to], { input })
  const receiveByPipe = async (...words: readonly string[]) =>
    (await service.ok(["receive", "--as", "bob", ...words])).output
  const receive = async (...words: readonly string[]) =>
    (await service.here(["receive", "--as", "bob", ...words])).output

  it("carry a document byte for byte, once", async () => {
    const { output, errors } = await sendByPipe(readme)
    assert.equal(output.length, 0)
    assert.equal(errors, "")
    assert.equal((await receiveByPipe("--from", "team")).toString(), readme)
    const again = await conclave(["receive", "--as", "bob", "--timeout", "0.2", ...service.place])
    assert.equal(again.code, 3)
    assert.equal(again.output.length, 0)
    assert.match(again.errors, /nothing arrived in time/)
  })

  it("wait for what has not been sent yet", async () => {
    const received = receiveByPipe("--timeout", "20")
    await new Promise((resolve) => setTimeout(resolve, 500))
    await send("late, but here\n")
    assert.equal((await received).toString(), "late, but here\n")
  })

  it("carry 300 kB of bytes that are no text, and text of which a character lies across the cut", async () => {
    const bytes = randomBytes(300_000)
    await sendByPipe(bytes)
    assert.equal(sha256(await receiveByPipe()), sha256(bytes))
    const text = `a${"ü".repeat(60_000)}`
    await send(text)
    assert.equal((await receive()).toString(), text)
  })

  it("tell sender and conversation in lines of JSON", async () => {
    await send("one\n")
    await send(Uint8Array.of(0xff, 0))
    const lines = (await receive("--json", "--count", "2")).toString().trimEnd().split("\n")
    const [text, bytes] = lines.map((line) => JSON.parse(line))
    assert.deepEqual([text.from, text.title, text.text], ["alice", "team", "one\n"])
    assert.deepEqual([bytes.base64, bytes.text], [Buffer.of(0xff, 0).toString("base64"), undefined])
    assert.match(text.messageId, /^[0-9a-f]{32}$/)
  })

  it("give a long input in several lines of JSON, which join as the help says", async () => {
    const text = Array.from({ length: 9_000 }, (_, line) => `line ${line} of alice\n`).join("")
    const bytes = Buffer.concat([Buffer.of(0xff), randomBytes(150_000)])
    const theirs = async (words: readonly string[]) => {
      const lines = (await receive("--json", ...words)).toString().trimEnd().split("\n")
      const messages = lines.map((line) => JSON.parse(line)).filter(({ from }) => from === "alice")
      assert.ok(messages.length > 2, "several parts")
      const seqs = messages.map(({ seq }) => seq)
      assert.deepEqual(
        seqs,
        seqs.toSorted((a, b) => a - b),
      )
      return messages
    }
    await send(text)
    assert.equal((await theirs([])).map((message) => message.text).join(""), text)
    await send(bytes)
    const parts = (await theirs([])).map((message) => Buffer.from(message.base64, "base64"))
    assert.equal(sha256(Buffer.concat(parts)), sha256(bytes))
    const help = (await runHere(["receive", "--help"])).output.toString().replace(/\s+/g, " ")
    assert.match(
      help,
      /several messages of an input above 64 KiB: .* in the order of seq, with each base64 decoded first/,
    )
  })

  it("end messages with a newline if that is wished", async () => {
    await send("without")
    await send("with\n")
    assert.equal((await receive("--lines", "--count", "2")).toString(), "without\nwith\n")
  })

  it("leave other conversations for later", async () => {
    await service.here(["chat", "--as", "alice"], { input: "/new garden bob\n" })
    await send("about work 1\n")
    await send("about tomatoes\n", "garden")
    await send("about work 2\n")
    assert.equal((await receive("--from", "garden")).toString(), "about tomatoes\n")
    const again = await runHere(["receive", "--as", "bob", "--from", "garden", "--timeout", "0.2", ...service.place])
    assert.equal(again.code, 3, "what was written is not written again")
    assert.equal((await receive("--count", "1")).toString(), "about work 1\n")
    assert.equal((await receive()).toString(), "about work 2\n")
  })

  it("follow until they are told to end", async () => {
    const following = conclave(["receive", "--as", "bob", "--follow", ...service.place], {
      started: (child) => {
        let seen = ""
        child.stdout!.on("data", (chunk) => {
          seen += chunk
          if (seen.includes("second")) child.kill("SIGINT")
        })
      },
    })
    await send("first\n")
    await send("second\n")
    const { code, output } = await following
    assert.equal(code, 0)
    assert.equal(output.toString(), "first\nsecond\n")
  })

  it("end with 3 when fewer than wanted arrived, and write those", async () => {
    await send("the only one\n")
    const ran = await runHere(["receive", "--as", "bob", "--count", "2", "--timeout", "0.5", ...service.place])
    assert.equal(ran.code, 3)
    assert.equal(ran.output.toString(), "the only one\n")
    assert.match(ran.errors, /only 1 of 2 messages arrived in time/)
  })

  it("survive a reader that stops reading", async () => {
    for (let n = 0; n < 3; n++) await send(`${n} ${"x".repeat(200_000)}\n`)
    const ran = await conclave(["receive", "--as", "bob", ...service.place], {
      started: (child) => child.stdout!.once("data", () => child.stdout!.destroy()),
    })
    assert.doesNotMatch(ran.errors, /EPIPE|\.js:/)
    const rest = (await receive()).toString()
    assert.ok(rest.endsWith(`2 ${"x".repeat(200_000)}\n`), "what nobody read comes again")
  })

  it("say in one line what is wrong", async () => {
    const at = (name: string, to: string) => ["send", "--as", name, "--to", to, ...service.place]
    const cases: readonly [readonly string[], string | Uint8Array, RegExp][] = [
      [at("alice", "team"), "", /the input is empty/],
      [at("alice", "nowhere"), "x", /alice has no conversation "nowhere", but .*team.*echo "\/new nowhere NAME" \|/],
      [at("alice", "team"), new Uint8Array(16 * 1024 * 1024 + 1), /the input is larger than 16 MiB/],
      [
        [
          "send",
          "--as",
          "alice",
          "--to",
          "team",
          "--server",
          service.address,
          "--data",
          `${service.folder.path}/other`,
        ],
        "x",
        /the name alice is taken at http/,
      ],
    ]
    for (const [words, input, says] of cases) {
      const ran = await runHere(words, { input })
      assert.equal(ran.code, 1)
      assertReadable(ran, says)
    }
  })

  it("refuse a second process under one name while the first runs", async () => {
    let second: Promise<Ran> | undefined
    await send("the first has opened the profile\n")
    const first = conclave(["receive", "--as", "bob", "--follow", ...service.place], {
      started: (child) =>
        child.stdout!.once("data", () => {
          second = conclave(["receive", "--as", "bob", "--timeout", "1", ...service.place])
          second.finally(() => child.kill("SIGTERM"))
        }),
    })
    assert.equal((await first).code, 0)
    const refused = await second!
    assert.equal(refused.code, 1)
    assertReadable(refused, /another conclave is running as bob/)
  })

  it("open a profile only with the key that it was sealed with", { skip: process.platform === "win32" }, async () => {
    const CONCLAVE_KEY = randomBytes(32).toString("hex")
    const words = ["receive", "--as", "carol", "--timeout", "0.1", ...service.place]
    assert.equal((await runHere(words, { environment: { CONCLAVE_KEY } })).code, 3)
    const folder = `${service.folder.path}/profiles/localhost_${service.port}`
    assert.equal(existsSync(`${folder}/carol.db.key`), false)
    assert.equal(statSync(`${folder}/bob.db.key`).mode & 0o777, 0o600)
    const other = await runHere(words, { environment: { CONCLAVE_KEY: randomBytes(32).toString("hex") } })
    assert.equal(other.code, 1)
    assertReadable(other, /the profile of carol cannot be opened/)
    const short = await runHere(words, { environment: { CONCLAVE_KEY: "abc" } })
    assertReadable(short, /CONCLAVE_KEY must be 64 hexadecimal digits/)
  })
})
