import assert from "node:assert/strict"
import { after, describe, it, type TestContext } from "node:test"
import { type Client, type Conversation, openClient } from "@conclave/client/node"
import { noNats, noPostgres, type PostgresServer, startNats, startPostgres } from "@conclave/testing/servers"
import { assertReadable, Folder, runHere, Service } from "./support.js"

let server: Promise<PostgresServer> | undefined
const postgres = () => (server ??= startPostgres())
after(async () => (await server)?.[Symbol.asyncDispose]())

/** A gateway on the database, which keeps nothing in its folder. */
const gateway = (
  url: string,
  { port = 0, ...options }: { port?: number; words?: readonly string[]; program?: string } = {},
) => Service.start(new Folder(), port, { ...options, environment: { DATABASE_URL: url } })

/** `packages/cli/bin/conclave.js` of an earlier version, built. */
const before = process.env.CONCLAVE_BEFORE

async function member(test: TestContext, name: string, { address }: Service): Promise<Client> {
  const folder = new Folder()
  const client = await openClient({
    ...{ name, service: address, profile: folder.file(name), sealingKey: new Uint8Array(32).fill(1) },
  })
  test.after(async () => {
    await client[Symbol.asyncDispose]()
    folder[Symbol.dispose]()
  })
  return client
}

const until = async (what: string, is: () => boolean | Promise<boolean>) => {
  const begin = performance.now()
  while (!(await is())) {
    assert.ok(performance.now() - begin < 30_000, `waited in vain: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** Two who talk through different gateways. */
async function talking(test: TestContext, first: Service, second: Service) {
  const [alice, bob] = [await member(test, "alice", first), await member(test, "bob", second)]
  const theirs = await alice.createConversation({ title: "team", members: ["bob"] })
  await until("the invitation", () => bob.conversations.size === 1)
  const [his] = bob.conversations.values()
  const heard = async (by: Conversation) => (await by.history()).map(({ text }) => text)
  return { theirs, his: his!, heard }
}

describe("conclave serve on a database", { skip: noPostgres, timeout: 120_000 }, () => {
  for (const hints of ["the database", "NATS"] as const) {
    it(`serves the same groups as other gateways, which hear of it by ${hints}`, {
      skip: hints === "NATS" && noNats,
    }, async (test) => {
      const nats = hints === "NATS" ? await startNats() : undefined
      test.after(() => nats?.[Symbol.asyncDispose]())
      const url = await (await postgres()).url(`same_${hints === "NATS" ? 2 : 1}`)
      const words = nats === undefined ? [] : ["--nats", nats.url]
      await using first = await gateway(url, { words })
      await using second = await gateway(url, { words })
      assert.match(first.announcement, /^ {2}database {2}PostgreSQL at 127\.0\.0\.1:\d+, same_\d$/m)
      assert.match(first.announcement, nats === undefined ? /^ {2}hints {5}by the database$/m : /by NATS, nats:/)
      assert.doesNotMatch(first.announcement, /service\.db/)
      const { theirs, his, heard } = await talking(test, first, second)
      await theirs.send("one")
      await until("one", async () => (await heard(his)).includes("one"))
      await his.send("two")
      await until("two", async () => (await heard(theirs)).includes("two"))
    })
  }

  it("goes on by looking while hints are lost, says so once, and hears again", { skip: noNats }, async (test) => {
    await using nats = await startNats()
    const url = await (await postgres()).url("hints_lost")
    await using first = await gateway(url, { words: ["--nats", nats.url] })
    await using second = await gateway(url, { words: ["--nats", nats.url] })
    const { theirs, his, heard } = await talking(test, first, second)
    await nats.stop("SIGKILL")
    await until("the loss is told", () => /no hints by NATS/.test(first.errors))
    await theirs.send("found by looking")
    await until("what no hint told of", async () => (await heard(his)).includes("found by looking"))
    await nats.start()
    await until("the hints are back", () => /hints by NATS come again/.test(first.errors))
    assert.equal(first.errors.match(/no hints by NATS/g)!.length, 1)
  })

  it("loses nothing that it has acknowledged when a gateway is killed, and its clients go on with the next", async (test) => {
    const url = await (await postgres()).url("killed")
    await using stays = await gateway(url)
    let killed = await gateway(url)
    const { port } = killed
    const { theirs, his, heard } = await talking(test, killed, stays)
    const sent: string[] = []
    for (let round = 0; round < 3; round++) {
      for (let number = 0; number < 10; number++) {
        const text = `${round}.${number}`
        sent.push(text)
        await theirs.send(text)
      }
      await killed.stop("SIGKILL")
      killed = await gateway(url, { port })
    }
    await until("all that was sent", async () => {
      const all = await heard(his)
      return sent.every((text) => all.filter((it) => it === text).length === 1)
    })
    await killed[Symbol.asyncDispose]()
  })

  it("serves beside a gateway of an earlier version, which has made the tables, and follows it", {
    skip: before === undefined && "CONCLAVE_BEFORE names no conclave.js of an earlier version",
  }, async (test) => {
    const url = await (await postgres()).url("before")
    await using older = await gateway(url, { program: before! })
    await using newer = await gateway(url)
    const { theirs, his, heard } = await talking(test, older, newer)
    for (let number = 0; number < 20; number++) {
      await theirs.send(`older ${number}`)
      await his.send(`newer ${number}`)
    }
    await theirs.refresh()
    await until("all that was said", async () => {
      const all = [await heard(theirs), await heard(his)]
      return all.every((texts) => texts.length === 40 && new Set(texts).size === 40)
    })
    assert.equal(await older.stop("SIGTERM"), 0)
    const { port } = older
    await using after = await gateway(url, { port })
    assert.equal(after.port, port)
    await theirs.send("after the upgrade")
    await until("what was said after", async () => (await heard(his)).includes("after the upgrade"))
  })

  it("is unavailable while the database is down, and goes on without a restart", async (test) => {
    await using own = await startPostgres()
    await using only = await gateway(await own.url("down"))
    const { theirs, his, heard } = await talking(test, only, only)
    const isReady = async () => (await fetch(`${only.address}/readyz`)).status === 200
    assert.ok(await isReady())
    await own.stop("SIGKILL")
    await until("not ready", async () => !(await isReady()))
    assert.equal((await fetch(`${only.address}/healthz`)).status, 200)
    const sending = theirs.send("kept until then")
    await own.start()
    await until("ready", isReady)
    await sending
    await until("the message", async () => (await heard(his)).includes("kept until then"))
  })
})

describe("conclave serve with a database that cannot be used", () => {
  const environment = (DATABASE_URL: string) => ({ environment: { DATABASE_URL } })

  it("says in one sentence what is wrong, without the password", { skip: noPostgres }, async () => {
    using folder = new Folder()
    const serve = ["serve", "--port", "0", "--data", folder.path]
    const { port } = await postgres()
    const wrong: readonly (readonly [string, RegExp])[] = [
      ["mysql://a:secret@localhost/b", /DATABASE_URL must be like postgres:\/\/user:password@host/],
      ["postgres://a:secret@127.0.0.1:1/b", /PostgreSQL at 127\.0\.0\.1:1, b: .*nothing listens/],
      ["postgres://a:secret@nowhere.invalid/b", /PostgreSQL at nowhere\.invalid, b: .*its host has no address/],
      [`postgres://conclave:secret@127.0.0.1:${port}/absent`, /PostgreSQL at .*absent: there is no such database/],
      [`postgres://nobody:secret@127.0.0.1:${port}/postgres`, /PostgreSQL at .*postgres: .*(role|user)/],
    ]
    for (const [url, says] of wrong) {
      const ran = await runHere(serve, environment(url))
      assert.notEqual(ran.code, 0)
      assertReadable(ran, says)
      assert.doesNotMatch(ran.errors, /secret/)
    }
  })

  it("refuses NATS without a database, and NATS with a password in its address", async () => {
    using folder = new Folder()
    const serve = ["serve", "--port", "0", "--data", folder.path]
    assertReadable(await runHere([...serve, "--nats", "nats://localhost"]), /--nats is for several processes/)
    const given = [...serve, "--nats", "nats://a:secret@localhost"]
    const ran = await runHere(given, environment("postgres://localhost/b"))
    assertReadable(ran, /--nats must be like nats:\/\/host:4222, without a password/)
    assert.doesNotMatch(ran.errors, /secret/)
  })
})
