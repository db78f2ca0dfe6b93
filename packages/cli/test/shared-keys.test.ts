import assert from "node:assert/strict"
import { randomBytes } from "node:crypto"
import { writeFileSync } from "node:fs"
import { after, describe, it } from "node:test"
import { noPostgres, type PostgresServer, startPostgres } from "@conclave/testing/servers"
import { assertReadable, conclave, Folder, runHere, Service } from "./support.js"

const WORDS = [
  ...["--fast-open", "--fast-open-port", "0", "--fast-open-keys", "shared"],
  // Whether this machine takes data in the first packet makes no difference here.
  ...["--fast-open-policy", "off"],
]
const newSecret = () => randomBytes(32).toString("hex")
const serverKeyOf = ({ announcement }: Service) => /server key\s+([0-9a-f]{64})\n/.exec(announcement)![1]!

let server: Promise<PostgresServer> | undefined
const postgres = () => (server ??= startPostgres())
after(async () => (await server)?.[Symbol.asyncDispose]())

/** A gateway; `secret` by the environment, or in a file where `words` name one. */
const gateway = (url: string, { secret, words = [] }: { secret?: string; words?: readonly string[] }) =>
  Service.start(new Folder(), 0, {
    words: [...WORDS, ...words],
    environment: { DATABASE_URL: url, ...(secret !== undefined && { CONCLAVE_FAST_OPEN_SECRET: secret }) },
  })

describe("conclave serve --fast-open-keys shared", { skip: noPostgres, timeout: 120_000 }, () => {
  it("has one server key at all processes, whichever of them a client asks", async () => {
    const url = await (await postgres()).url("shared")
    const secret = newSecret()
    using folder = new Folder()
    const file = folder.file("secret")
    writeFileSync(file, `${secret}\n`)
    await using first = await gateway(url, { secret })
    await using second = await gateway(url, { words: ["--fast-open-secret", file] })
    const key = serverKeyOf(first)
    assert.equal(serverKeyOf(second), key)
    assert.match(first.announcement, /with keys that all on the database share/)
    // Each talks through a process of their own, and knows both by the same key.
    assert.equal((await conclave(["receive", "--as", "bob", "--timeout", "0.01", ...second.place])).code, 3)
    await first.ok(["chat", "--as", "alice"], { input: "/new team bob\n" })
    await second.accept("bob", "alice")
    for (const input of ["one, ", "two"]) {
      await first.ok(["send", "--as", "alice", "--to", "team", "--server-key", key], { input })
    }
    const ran = await second.ok(["receive", "--as", "bob", "--count", "2", "--server-key", key])
    assert.equal(ran.output.toString(), "one, two", ran.errors)
    assert.doesNotMatch(ran.errors, /do not get through/)
  })

  it("does not start on keys that are sealed under another secret", async () => {
    const url = await (await postgres()).url("other")
    await using _ = await gateway(url, { secret: newSecret() })
    const environment = { DATABASE_URL: url, CONCLAVE_FAST_OPEN_SECRET: newSecret() }
    using folder = new Folder()
    const ran = await conclave(["serve", "--port", "0", "--data", folder.path, ...WORDS], { environment })
    assert.equal(ran.code, 1)
    assertReadable(
      ran,
      /PostgreSQL at .*sealed under another secret; give every process on it the same --fast-open-secret/,
    )
  })
})

it("options that do not go together are refused in one sentence, and a secret is not quoted", async () => {
  using folder = new Folder()
  const serve = ["serve", "--port", "0", "--data", folder.path]
  const file = folder.file("secret")
  writeFileSync(file, "0123456789")
  const database = ["--database", "postgres://127.0.0.1:1/b"]
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [["--fast-open-keys", "shared"], /--fast-open-keys is for sealed requests: give --fast-open too/],
    [["--fast-open", "--fast-open-keys", "all"], /--fast-open-keys must be own or shared/],
    [["--fast-open", "--fast-open-secret", file], /--fast-open-secret is for keys that processes share/],
    [[...WORDS, "--fast-open-secret", file], /for several processes on one database: give --database, or DATABASE_URL/],
    [[...WORDS, ...database], /needs a secret: give --fast-open-secret, or CONCLAVE_FAST_OPEN_SECRET/],
    [[...WORDS, ...database, "--fast-open-secret", file], /secret must hold 64 hexadecimal digits \(32 bytes\)/],
    [[...WORDS, ...database, "--fast-open-secret", `${file}.not`], /secret\.not: /],
  ]
  for (const [words, says] of wrong) {
    const ran = await runHere([...serve, ...words])
    assert.notEqual(ran.code, 0)
    assertReadable(ran, says)
    assert.doesNotMatch(ran.errors, /0123456789/)
  }
})
