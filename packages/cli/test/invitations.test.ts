import assert from "node:assert/strict"
import { after, before, describe, it } from "node:test"
import type { ClientEvent } from "@conclave/client/node"
import { isCalled, labelOf } from "../src/conversations.js"
import { acceptedInviters, invitationPolicy } from "../src/invitations.js"
import { drawEvent, drawReport } from "../src/messages.js"
import { styleFor } from "../src/terminal/style.js"
import { runHere, Service } from "./support.js"

describe("an invitation on the command line", () => {
  let service: Service
  before(async () => {
    service = await Service.start()
    await Promise.all(["bob", "carol", "dave"].map((name) => receive(name)))
  })
  after(() => service[Symbol.asyncDispose]())
  const chat = async (name: string, ...lines: readonly string[]) =>
    (await service.here(["chat", "--as", name], { input: `${lines.join("\n")}\n` })).output.toString()
  const receive = (name: string, ...words: readonly string[]) =>
    runHere(["receive", "--as", name, "--timeout", "0.1", ...words, ...service.place])

  it("is a request, and shows nothing that the inviter has written before it is accepted", async () => {
    await chat("alice", '/new "title of a stranger" bob carol', "a secret")
    const { output } = await runHere(["chat", "--as", "bob", ...service.place], {
      input: "/list\n/open 1\n/accept 7\nhello\n",
    })
    const text = output.toString()
    assert.match(
      text,
      /^Invitations \(1\):\n {2}alice invites you to a conversation with carol: \/accept 1 or \/decline 1$/m,
    )
    assert.match(text, /this is an invitation: \/accept 1 or \/decline 1/)
    assert.match(text, /there is no invitation "7"; \/list shows them/)
    assert.match(text, /you are in no conversation/)
    assert.doesNotMatch(text, /title of a stranger|a secret/)
    const accepted = await chat("bob", "/accept", "/list", "here I am")
    assert.equal(accepted.match(/alice: a secret/g)?.length, 1)
    assert.match(accepted, /^ {2}1 {2}title of a stranger {2}alice, bob, carol/m)
    assert.match(await chat("alice", "/history"), /bob: here I am/)
  })

  it("is declined, gone, and reported to the inviter, who is not told that somebody left", async () => {
    assert.match(await chat("carol", "/decline 1"), /^you declined the invitation by alice$/m)
    const { code, output } = await runHere(["chat", "--as", "carol", ...service.place], { input: "/list\n/accept\n" })
    assert.equal(code, 1)
    assert.match(output.toString(), /There is no conversation yet.*\n.*no invitation waits for an answer/)
    // A member who is there carries out the removal, after a moment.
    const told = await service.here(["chat", "--as", "alice"], { input: "/refresh\n/members\n" })
    assert.match(told.output.toString(), /carol declined the invitation/)
    assert.doesNotMatch(told.output.toString(), /carol left/)
  })

  it("lets a pipe in only where that was said: by name, by acquaintance, by everybody", async () => {
    await chat("alice", "/new first dave", "one")
    const asked = await receive("dave")
    assert.equal(asked.code, 3)
    assert.equal(asked.output.length, 0)
    assert.match(
      asked.errors,
      /^alice invites you to a conversation: see --accept-invitations, or \/accept in conclave chat$/m,
    )
    assert.match(asked.errors, /^nothing arrived in time; 1 invitation has no answer$/m)
    const sent = await runHere(["send", "--as", "dave", "--to", "first", ...service.place], { input: "x" })
    assert.equal(sent.code, 1)
    assert.match(sent.errors, /dave has no conversation "first", but an invitation without an answer/)
    const accepted = await receive("dave", "--lines", "--accept-invitations", "bob,alice")
    assert.equal(accepted.output.toString(), "one\n", "what was said while the invitation waited")
    await chat("alice", "/open first", "two", "/new second dave", "three")
    const known = await receive("dave", "--lines")
    // Of two conversations, each is read in its own order.
    assert.deepEqual(known.output.toString().split("\n").sort(), ["", "three", "two"], "alice is known by now")
    await chat("stranger", "/new third dave")
    const none = await receive("dave")
    assert.match(none.errors, /^stranger invites you/m)
    const all = await receive("dave", "--accept-invitations", "all")
    assert.match(all.errors, /^nothing arrived in time$/m, "the one that has waited is accepted")
  })

  it("is spoken of in the help", async () => {
    for (const name of ["receive", "send"]) {
      const { output } = await runHere([name, "--help"])
      assert.match(output.toString(), /--accept-invitations WHO/)
      assert.match(output.toString(), /At first contact, name\s+the\s+inviter/)
    }
    assert.match((await runHere(["chat", "--help"])).output.toString(), /\/accept\s+and\s+\/decline\s+answer\s+them/)
    const wrong = await runHere(["receive", "--as", "bob", "--accept-invitations", "al ice"])
    assert.equal(wrong.code, 2)
    for (const [text, says] of [
      ["alice,all", /must be "all" alone, or names without it/],
      ["None,bob", /must be "none" alone/],
      ["ALL", /must be "all", as it is written here/],
      [" known", /must be "known", as/],
    ] as const) {
      assert.throws(() => acceptedInviters(text), says, text)
    }
    assert.deepEqual(acceptedInviters("allison,bob"), ["allison", "bob"])
  })
})

describe("whose invitations are accepted", () => {
  const conversations = new Map([
    ["1", { status: "active", members: ["bob", "carol"] }],
    ["2", { status: "invited", members: ["bob", "mallory"] }],
  ])
  const answer = async (text: string, by: string) => {
    const policy = invitationPolicy(acceptedInviters(text), Promise.resolve({ conversations } as never))
    return typeof policy === "string" ? policy : policy({ by, conversation: "3", members: [] })
  }

  it("is decided by name and by conversations that one is in: an invitation makes nobody known", async () => {
    assert.deepEqual(
      await Promise.all([answer("known", "carol"), answer("known", "mallory"), answer("known", "dave")]),
      ["accept", "ask", "ask"],
    )
    assert.deepEqual(await Promise.all([answer("dave,mallory", "mallory"), answer("dave", "carol")]), ["accept", "ask"])
    assert.deepEqual(await Promise.all([answer("all", "mallory"), answer("none", "carol")]), ["accept", "ask"])
  })
})

describe("the title of an invitation", () => {
  const invitation = { id: "ab".repeat(32), title: "win money", status: "invited" } as never

  it("is shown nowhere, and finds nothing", () => {
    assert.equal(labelOf(invitation), "abababab")
    assert.equal(isCalled(invitation, "win money"), false)
    assert.equal(isCalled(invitation, "abababab"), true)
  })
})

describe("what has happened, in a terminal", () => {
  const style = styleFor(false, {})
  const reader = { style, people: { name: "alice", displayName: () => undefined } }
  const conversation = { id: "00".repeat(32), title: "team", status: "active" }
  const draw = (body: object) => drawEvent({ number: 1, conversation, ...body } as unknown as ClientEvent, reader) ?? ""
  const report = (body: object) => drawReport({ number: 1, conversation, ...body } as unknown as ClientEvent, reader)
  const members = { type: "members", by: "bob", added: [], removed: [], left: [], rejoined: [] }
  const reason = "the service said no"

  it("says who really did it", () => {
    assert.equal(draw({ ...members, removed: ["carol"] }), "bob removed carol")
    assert.equal(draw({ ...members, left: ["carol"] }), "carol left")
    assert.equal(
      draw({ ...members, by: "carol", rejoined: ["dave"] }),
      "carol let dave back in, who had lost their place",
    )
    assert.match(draw({ type: "left", by: "bob" }), /^bob removed you from team\. /)
    assert.match(draw({ type: "left", by: "alice" }), /^You left team\. /)
    assert.equal(draw({ type: "declined", name: "bob", reason: "declined" }), "bob declined the invitation")
    assert.equal(draw(members), "")
  })

  it("says that nothing is lost where nothing is, and what is to be done where something is", () => {
    const retryAt = new Date(2026, 0, 1, 14, 3)
    assert.match(draw({ type: "throttled", retryAt }), /^The service is busy until 14:03\. /)
    assert.match(draw({ type: "missing", reason }), /does not show team as it should\. Nothing is lost/)
    assert.match(draw({ type: "unavailable", reason }), /for team\. .*Nothing is given up/)
    assert.match(
      draw({ type: "deferred", reason, retryAt, wishes: ["invite", "title"] }),
      /^The service did not take your invitation and the new title\. .* tries again at 14:03$/,
    )
    assert.match(draw({ type: "update", reason }), /^!! An update is needed/)
    const rejected = (code: string, count = 1) => draw({ type: "rejected", code, reason, count })
    assert.match(rejected("FALSE_ANSWER"), /^!! Somebody answered .* back into team, and not honestly\. .*safety codes/)
    assert.match(
      rejected("CANNOT_KNOCK"),
      /^!! The service does not take .* back into team\. .*This device asks again$/,
    )
    const stuck = { type: "stuck", reason: "commit 7, by bob, cannot be followed" }
    assert.match(draw({ ...stuck, canKnock: true }), /cannot follow team\. .*by bob.*It has asked the other members/)
    assert.match(draw({ ...stuck, canKnock: false }), /cannot follow team\. .*Ask a member to remove you and invite/)
    assert.match(
      draw({ type: "stopped", by: "bob", reason: "commit 7 registers another key" }),
      /^!! Nobody can go on in team\. bob has locked the others out\. /,
    )
    assert.match(rejected("TOO_MANY_INVITATIONS", 12), /^12 invitations were declined unseen/)
    assert.match(
      rejected("UNREADABLE", 12),
      /^12 messages were refused and skipped in team\. First reason: the service said no$/,
    )
    const key = { type: "keyChanged", name: "alice", signatureKey: new Uint8Array(32), accepted: false }
    assert.match(draw({ ...key, endorsed: false }), /^!! An unknown device uses your name\. .*\(\/approve alice\)/)
  })

  it("is reported beside a pipe where a person has to know it, and not where it is news of others", () => {
    for (const type of ["missing", "unavailable", "update", "recovered", "lost"]) {
      assert.ok(report({ type, reason, by: "bob" }), type)
    }
    for (const event of [
      { ...members, added: ["bob"] },
      { type: "refreshed", by: "bob" },
    ]) {
      assert.equal(report(event), undefined)
    }
  })
})
