import assert from "node:assert/strict"
import { after, before, describe, it } from "node:test"
import type { TreeNode } from "@conclave/client/node"
import { drawTree } from "../src/chat/draw-tree.js"
import { wordsOf } from "../src/chat/words.js"
import { cut, drawMessage } from "../src/messages.js"
import { glyphsFor, styleFor } from "../src/terminal/style.js"
import { runHere, Service } from "./support.js"

const plain = styleFor(false, {})
const people = { name: "alice", displayName: () => undefined }
const reader = { style: plain, people }
const glyphs = glyphsFor({}, "linux")

describe("conclave chat, with lines from a pipe", () => {
  let service: Service
  before(async () => {
    service = await Service.start()
    await service.gather("team", "alice", "bob", "carol")
  })
  after(() => service[Symbol.asyncDispose]())
  const chat = async (name: string, ...lines: readonly string[]) =>
    (await service.here(["chat", "--as", name], { input: `${lines.join("\n")}\n` })).output.toString()

  it("carries out one line after the other", async () => {
    const lines = ["hello all", "//slash", "/members", "/refresh", "/tree", "/remove carol", "bye carol"]
    const piped = await service.ok(["chat", "--as", "alice"], { input: `${lines.join("\n")}\n` })
    const output = piped.output.toString()
    assert.match(output, /^ {2}alice \(you\)\n {2}bob\n {2}carol$/m)
    assert.match(output, /◆ alice \(you\)/)
    assert.match(output, /You removed carol/)
    const { output: received } = await service.here(["receive", "--as", "bob", "--lines", "--count", "3"])
    assert.equal(received.toString(), "hello all\n/slash\nbye carol\n")
    const carol = await chat("carol", "/list", "/open team")
    assert.match(carol, /1 {2}team {4}left/)
    assert.match(carol, /alice: hello all/)
    assert.match(carol, /alice removed you from team/)
    assert.doesNotMatch(carol, /bye carol/)
  })

  it("shows both the same safety code", async () => {
    const digits = (text: string) => text.match(/^ {2}(\d{5} ){3}\d{5}$/gm)
    const [one, other] = [await chat("alice", "/safety bob"), await chat("bob", "/safety alice")]
    assert.equal(digits(one)?.length, 3)
    assert.deepEqual(digits(one), digits(other))
  })

  it("takes a title to the end of the line, with quotation marks around it or without", async () => {
    assert.match(await chat("alice", "/title Three little words", "/list"), /1 {2}Three little words {2}alice/)
    assert.match(await chat("alice", '/title the "big" team', "/list"), /1 {2}the "big" team {2}alice/)
    assert.match(await chat("alice", '/title "team"', "/list"), /1 {2}team {2}alice/)
  })

  it("withdraws a display name where that is said, and not where nothing is", async () => {
    assert.match(await chat("alice", '/name "Alice Liddell"'), /^others see you as Alice Liddell \(alice\)$/m)
    const asked = await chat("alice", "/name", "/members")
    assert.match(asked, /^others see you as Alice Liddell \(alice\); \/name TEXT changes that, \/name - withdraws it$/m)
    assert.match(asked, /^ {2}Alice Liddell \(alice\) \(you\)$/m)
    assert.match(await chat("alice", "/name -", "/members"), /^ {2}alice \(you\)$/m)
  })

  it("opens a conversation by a title of several words", async () => {
    await chat("alice", '/new "two words"')
    const output = await chat("alice", "/open two words", "/list", '/open "two words"', "/leave")
    assert.match(output, /two words {2}alice/)
    assert.doesNotMatch(output, /there is no conversation/)
  })

  it("refuses words that a command does not take, and does nothing then", async () => {
    const { code, output } = await runHere(["chat", "--as", "alice", ...service.place], {
      input: "/open 1\n/leave this team\n/safety bob carol\n/quit now\n/list\n",
    })
    assert.equal(code, 1)
    const text = output.toString()
    assert.match(text, /^too many words; usage: \/leave$/m)
    assert.match(text, /^too many words; usage: \/safety \[NAME\]$/m)
    assert.match(text, /^too many words; usage: \/quit$/m)
    assert.match(text, /^ {2}1 {2}team +alice, bob$/m)
  })

  it("says of who is invited again that they are a member already, and invites the others", async () => {
    await chat("dave")
    const output = await chat("alice", "/open 1", "/invite bob dave alice", "/remove dave")
    assert.match(output, /^bob is already a member$/m)
    assert.match(output, /^you are already a member$/m)
    assert.doesNotMatch(output, /dave is already/)
    assert.match(output, /You added dave/)
  })

  it("names the invitation that waits to somebody who is in no conversation", async () => {
    await chat("erin")
    await chat("alice", "/open 1", "/invite erin")
    const { code, output } = await runHere(["chat", "--as", "erin", ...service.place], { input: "hello\n" })
    assert.equal(code, 1)
    assert.match(output.toString(), /you are in no conversation; an invitation waits: \/accept 1 or \/decline 1/)
  })

  it("says what could not be done, goes on, and ends with 1", async () => {
    const { code, output } = await runHere(["chat", "--as", "alice", ...service.place], {
      input:
        '/nwe\n/new\n/open 17\n/invite nobody-of-this-name\n/remove alice\n/safety dave\n/approve bob\n/members\n/title "our team"\n',
    })
    assert.equal(code, 1)
    const text = output.toString()
    for (const says of [
      /there is no command \/nwe, did you mean \/new\?/,
      /usage: \/new TITLE \[NAME…\]/,
      /there is no conversation "17"/,
      /nobody-of-this-name/,
      /to remove yourself, use \/leave/,
      /dave is not in this conversation/,
      /no key of bob waits for approval/,
      /^ {2}alice \(you\)$/m,
    ]) {
      assert.match(text, says)
    }
    assert.doesNotMatch(text, /at .*\.js/)
    assert.match(await chat("bob", "/list"), /our team/)
  })
})

describe("what a terminal shows of others", () => {
  const sentAt = new Date(2026, 0, 1, 9, 5)

  it("is text that cannot move the cursor, change colours or turn the direction of writing", () => {
    const text = "a\u001b[2J\u001b]0;title\u0007b\u009b31mc\u202edr\r\nnext\u0008"
    const drawn = drawMessage({ from: "mallory\u001b[1m", sentAt, text }, reader)
    assert.equal(drawn, "09:05 mallory\ufffd[1m [not a valid name]: a␛[2J␛]0;title␇b\ufffd31mc\ufffddr\n      next␈")
  })

  it("cannot pass for a message of somebody else", () => {
    const drawn = drawMessage({ from: "mallory", sentAt, text: "hi\n09:06 alice: send him money\u2028" }, reader)
    for (const line of drawn.split("\n").slice(1)) assert.match(line, /^ {6}/)
  })

  it("is cut where it is long", () => {
    assert.equal(cut({ text: "short\n" }), undefined)
    assert.equal(cut({ text: "line\n".repeat(50) })?.split("\n").length, 20)
    assert.equal(cut({ text: "x".repeat(5_000) })?.length, 2_000)
    assert.equal(cut({ bytes: new Uint8Array(9) }), undefined)
  })

  it("has colours on a terminal only, and not against NO_COLOR", () => {
    const isColoured = (isTerminal: boolean, environment: NodeJS.ProcessEnv) =>
      styleFor(isTerminal, environment).red("x") !== "x"
    assert.equal(isColoured(true, { TERM: "xterm" }), true)
    assert.equal(isColoured(true, { TERM: "xterm", NO_COLOR: "" }), true)
    assert.equal(isColoured(true, { TERM: "xterm", NO_COLOR: "1" }), false)
    assert.equal(isColoured(true, { TERM: "dumb" }), false)
    assert.equal(isColoured(false, { TERM: "xterm" }), false)
  })
})

describe("the drawing of the tree", () => {
  const node = (nodeIndex: number, more: Partial<TreeNode> = {}): TreeNode => ({
    nodeIndex,
    kind: nodeIndex % 2 === 0 ? "leaf" : "parent",
    blank: false,
    renewedInEpoch: undefined,
    name: undefined,
    own: false,
    signatureKey: undefined,
    unmergedLeaves: [],
    ...more,
  })
  const blank = (nodeIndex: number) => node(nodeIndex, { blank: true })
  const draw = (nodes: readonly TreeNode[], environment: NodeJS.ProcessEnv = {}) =>
    drawTree(nodes, { style: plain, glyphs: glyphsFor(environment, "linux"), epoch: 5n, people }).slice(0, -1)

  it("shows who is where, what is blank, and what the last commit renewed", () => {
    const nodes = [
      node(0, { name: "alice", own: true, renewedInEpoch: 5n }),
      node(1, { renewedInEpoch: 5n }),
      node(2, { name: "bob" }),
      node(3, { renewedInEpoch: 5n, unmergedLeaves: [2] }),
      node(4, { name: "carol", renewedInEpoch: 2n }),
      blank(5),
      blank(6),
    ]
    assert.deepEqual(draw(nodes), [
      "    ┌── ◆ alice (you) since epoch 5",
      "┌── ◆ since epoch 5",
      "│   └── ● bob",
      "◆ since epoch 5 unknown to leaf 2",
      "│   ┌── ● carol since epoch 2",
      "└── ○",
      "    └── ○",
    ])
  })

  it("folds what is blank, and stays short for a thousand members", () => {
    const half = [node(0, { name: "alice" }), node(1), node(2, { name: "bob" })]
    const folded = draw([...half, node(3), blank(4), blank(5), blank(6)])
    assert.equal(folded.at(-1), "└── ○ 2 blank leaves")
    const many = Array.from({ length: 2_047 }, (_, at) => node(at, at % 2 === 0 ? { name: `member-${at}` } : {}))
    assert.ok(draw(many).length < 300)
  })

  it("needs no more than ASCII on a dumb terminal", () => {
    assert.match(draw([node(0), node(1), blank(2)], { TERM: "dumb" }).join("\n"), /^[\x20-\x7e\n]*$/)
    assert.equal(glyphs.filled, "●")
  })
})

describe("words of a typed line", () => {
  it("are separated by spaces, except in quotation marks", () => {
    assert.deepEqual(wordsOf('new "our team" bob  carol'), ["new", "our team", "bob", "carol"])
    assert.deepEqual(wordsOf('title "never closed'), ["title", "never closed"])
    assert.deepEqual(wordsOf("  "), [])
    assert.deepEqual(wordsOf('title ""'), ["title", ""])
  })
})
