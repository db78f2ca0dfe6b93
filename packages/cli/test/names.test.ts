import assert from "node:assert/strict"
import { PassThrough } from "node:stream"
import { describe, it } from "node:test"
import { type Client, openClient } from "@conclave/client/node"
import { ChatSession } from "../src/chat/session.js"
import { slashCommands } from "../src/chat/slash-commands.js"
import { labelOf } from "../src/conversations.js"
import { drawEvent, drawMessage } from "../src/messages.js"
import * as options from "../src/options.js"
import { labelOfPeople, labelOfPerson } from "../src/people.js"
import { glyphsFor, styleFor } from "../src/terminal/style.js"
import type { Terminal } from "../src/terminal/terminal.js"
import { runHere, Service } from "./support.js"

const plain = styleFor(false, {})
const called: Readonly<Record<string, string>> = {
  __proto__: null as never,
  mallory: "Alice",
  alice: "alice",
  bob: "Bob",
}
const people = { name: "alice", displayName: (name: string) => called[name] }
const reader = { style: plain, people }

describe("a name on the command line", () => {
  it("is composed where it was pasted decomposed, and keeps its case", () => {
    assert.equal(options.name("ju\u0308rgen"), "j\u00fcrgen")
    assert.equal(options.name("Xavier"), "Xavier")
    assert.equal(options.name("auth0|5f7c8ec7"), "auth0|5f7c8ec7")
    assert.equal(options.displayName("  Ju\u0308rgen  M. "), "J\u00fcrgen M.")
  })

  it("is shown with the display name, where there is one that differs", () => {
    assert.equal(labelOfPerson(people, "bob"), "Bob (bob)")
    assert.equal(labelOfPerson(people, "alice"), "alice")
    assert.equal(labelOfPerson(people, "constructor"), "constructor")
    assert.equal(labelOfPerson(people, "\u0430lice"), "\u0430lice [mixed scripts]")
    assert.equal(labelOfPeople(people, ["bob", "mallory"]), "Bob (bob), Alice (mallory)")
    assert.ok(labelOfPeople(people, new Array(10_000).fill("x".repeat(128))).length < 10_000)
  })

  it("stands beside the display name in messages and events", () => {
    const sentAt = new Date(2026, 0, 1, 9, 5)
    assert.equal(drawMessage({ from: "mallory", sentAt, text: "hi" }, reader), "09:05 Alice (mallory): hi")
    const conversation = { title: "team", id: "00".repeat(32) } as never
    const changed = {
      type: "members",
      number: 1,
      conversation,
      by: "mallory",
      added: ["bob"],
      removed: ["alice"],
      left: [],
      rejoined: [],
    } as const
    assert.equal(drawEvent(changed, reader), "Alice (mallory) added Bob (bob) and removed you")
    const key = {
      type: "keyChanged",
      number: 2,
      conversation,
      name: "mallory",
      signatureKey: new Uint8Array(32),
    } as const
    assert.match(
      drawEvent({ ...key, endorsed: false, accepted: false }, reader) ?? "",
      /Ask Alice \(mallory\), by voice .* \(\/approve mallory\)$/,
    )
    const renamed = { type: "displayName", number: 3, conversation: undefined, name: "mallory" } as const
    assert.equal(
      drawEvent({ ...renamed, before: "Mallory", after: "Alice" }, reader),
      "Mallory (mallory) is now called Alice (mallory)",
    )
  })
})

describe("a title that somebody else has chosen", () => {
  it("is cleaned and cut wherever it is a label", () => {
    const title = `\u001b[2J\u202e${"long ".repeat(10_000)}`
    const conversation = { title, id: "00".repeat(32) } as never
    const label = labelOf(conversation)
    assert.ok([...label].length <= 60)
    assert.doesNotMatch(label, /[\p{C}\p{Default_Ignorable_Code_Point}\n]/u)
    const event = { type: "title", number: 1, conversation, from: "bob", title } as const
    assert.ok(drawEvent(event, reader)!.length < 120)
    const rejected = { type: "rejected", number: 1, conversation, code: "X", count: 1, reason: title } as const
    assert.ok(drawEvent(rejected, reader)!.length < 600)
  })
})

describe("people in conclave chat", () => {
  it("are called what they say, beside their names", async () => {
    await using service = await Service.start()
    const chat = async (name: string, ...lines: readonly string[]) =>
      (await service.here(["chat", "--as", name], { input: `${lines.join("\n")}\n` })).output.toString()
    for (const name of ["ju\u0308rgen", "constructor"]) {
      await runHere(["receive", "--as", name, "--display-name", "Jürgen M.", "--timeout", "0.01", ...service.place])
    }
    const output = await chat(
      "alice",
      "/name  Alice  Liddell",
      "/new toString ju\u0308rgen constructor",
      "/members",
      "/tree",
    )
    for (const name of ["j\u00fcrgen", "constructor"]) await service.accept(name, "alice")
    await chat("alice", "hi")
    assert.match(output, /^others see you as Alice Liddell \(alice\)$/m)
    assert.match(output, /^ {2}Alice Liddell \(alice\) \(you\)$/m)
    assert.match(output, /^ {2}Jürgen M\. \(constructor\)$/m)
    assert.match(output, /^ {2}Jürgen M\. \(jürgen\)$/m)
    assert.match(output, /● Jürgen M\. \(constructor\)/)
    const other = await chat("j\u00fcrgen", "/list", "/open toString")
    assert.match(other, /toString {2}Alice Liddell \(alice\), Jürgen M\. \(constructor\), Jürgen M\. \(jürgen\)/)
    assert.match(other, /Alice Liddell \(alice\): hi/)
    const { output: json } = await service.here(["receive", "--as", "constructor", "--json", "--count", "1"])
    const { from, displayName, text } = JSON.parse(json.toString())
    assert.deepEqual([from, displayName, text], ["alice", "Alice Liddell", "hi"])
    const refused = await runHere(["chat", "--as", "alice", ...service.place], {
      input: "/invite alice\u3164\n/safety \uff41lice\n/name Alice (bob)\n/members\n",
    })
    assert.equal(refused.code, 1)
    assert.match(refused.output.toString(), /is not a name: it contains U\+3164, which is invisible; a name has/)
    assert.match(refused.output.toString(), /is not a name: it contains U\+FF41/)
    assert.match(refused.output.toString(), /"Alice \(bob\)" is not a display name: it contains “\(”/)
    assert.equal(Object.hasOwn(slashCommands, "constructor"), false)
  })

  it("do not miss a message whose sender has repeated the id of another", async () => {
    await using service = await Service.start()
    let repeated: Uint8Array | undefined
    const random = (length: number) => {
      const bytes = length === 16 && repeated !== undefined ? repeated : crypto.getRandomValues(new Uint8Array(length))
      if (bytes === repeated) repeated = undefined
      return bytes
    }
    const open = (name: string, more: object = {}) =>
      openClient({ name, service: service.address, profile: service.folder.file(`${name}.db`), ...more })
    await using alice = await open("alice")
    await using mallory = await open("mallory", { random })
    const team = await alice.createConversation({ title: "team", members: ["mallory"] })
    const id = await team.send("before")
    const last = await eventOf(alice, "before")
    await alice.acknowledge(last)

    const output = new PassThrough({ encoding: "utf8" })
    let shown = ""
    output.on("data", (text: string) => {
      shown += text
    })
    const session = new ChatSession(alice, dumbTerminal(output))
    const running = session.run()
    await until(() => /: before\n/.test(shown))
    await until(() => mallory.conversations.size === 1)
    repeated = Uint8Array.from(Buffer.from(id, "hex"))
    await [...mallory.conversations.values()][0]!.send("after")
    await until(() => /mallory: after\n/.test(shown))
    assert.equal(repeated, undefined, "the id was repeated")
    session.end()
    await running
  })
})

async function eventOf(client: Client, text: string): Promise<number> {
  for await (const event of client.events({ peek: true })) {
    if (event.type === "sent" && event.text === text) return event.number
  }
  throw new Error("the client was closed")
}

async function until(condition: () => boolean): Promise<void> {
  const late = Date.now() + 10_000
  while (!condition()) {
    if (Date.now() > late) throw new Error("it did not come")
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Of somebody who sits in front of it, and without a cursor to move. */
function dumbTerminal(output: PassThrough): Terminal {
  const environment = { TERM: "dumb" }
  const tty = <T extends object>(stream: T) => Object.assign(stream, { isTTY: true })
  return {
    input: tty(new PassThrough()),
    output: tty(output),
    errors: tty(new PassThrough()),
    environment,
    style: plain,
    errorStyle: plain,
    glyphs: glyphsFor(environment, "linux"),
    write: async () => {},
    tell: () => {},
  }
}
