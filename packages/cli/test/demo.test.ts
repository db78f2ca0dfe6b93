import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { disagreements, type View } from "../src/demo/agreement.js"
import { conclave } from "./support.js"

describe("conclave demo", () => {
  it("plays all steps, shows each with epoch, authenticator, bytes and milliseconds, and ends with 0", async () => {
    const { code, output, errors } = await conclave(["demo"])
    assert.equal(code, 0, errors)
    const rows = output
      .toString()
      .split("\n")
      .map((line) => /^(.+?)\s{2,}(\d+) {2}([0-9a-f]{12})…\s+(\d+)\s+(\d+\.\d) {2}✓$/u.exec(line))
      .filter((row) => row !== null)
      .map(([, step, epoch, authenticator, bytes]) => ({
        step,
        epoch: Number(epoch),
        authenticator,
        bytes: Number(bytes),
      }))
    assert.deepEqual(
      rows.map(({ step, epoch }) => [step, epoch]),
      [
        ["alice creates a conversation", 0],
        ["alice invites bob and carol", 1],
        ["all three talk", 1],
        ["bob renews his keys", 2],
        ["all three talk", 2],
        ["alice removes carol", 3],
        ["alice and bob talk without carol", 3],
        ["bob invites carol again", 4],
        ["all three talk", 4],
      ],
    )
    const authenticators = new Map(rows.map(({ epoch, authenticator }) => [epoch, authenticator]))
    assert.equal(new Set(authenticators.values()).size, 5, "each epoch has another")
    for (const { epoch, authenticator } of rows) assert.equal(authenticator, authenticators.get(epoch))
    assert.ok(
      rows.every(({ bytes }) => bytes > 100),
      "every step passes over the line",
    )
    assert.match(output.toString(), /All members agreed at every step\./)
    for (const line of output.toString().split("\n")) assert.ok([...line].length <= 80, line)
  })

  const alice: View = {
    name: "alice",
    status: "active",
    epoch: 3n,
    authenticator: "aa11",
    members: ["alice", "bob"],
    messages: ["alice: early", "bob: late"],
  }
  const bob: View = { ...alice, name: "bob" }
  const carol: View = {
    ...alice,
    name: "carol",
    status: "left",
    authenticator: "",
    members: [],
    messages: ["alice: early"],
  }
  const expectation = {
    members: ["alice", "bob"],
    said: [
      { message: "alice: early", readers: ["alice", "bob", "carol"] },
      { message: "bob: late", readers: ["alice", "bob"] },
    ],
  }

  it("is content with views that agree", () => {
    assert.deepEqual(disagreements([alice, bob, carol], expectation), [])
  })

  it("finds whatever disagrees", () => {
    const cases: readonly [readonly View[], RegExp][] = [
      [[alice, { ...bob, authenticator: "aa12" }, carol], /^the epoch authenticator differs: alice aa11, bob aa12$/],
      [[alice, { ...bob, epoch: 4n }, carol], /^the epoch differs: alice 3, bob 4$/],
      [[alice, { ...bob, members: ["alice", "bob", "carol"] }, carol], /^bob sees alice, bob, carol, not alice, bob$/],
      [[alice, { ...bob, messages: ["alice: early"] }, carol], /^bob did not read "bob: late"$/],
      [[alice, { ...bob, messages: [...bob.messages, "bob: late"] }, carol], /^bob read something twice$/],
      [[alice, { ...bob, status: "recovering" }, carol], /^bob is a member, but recovering$/],
      [[alice, bob, { ...carol, messages: alice.messages }], /^carol was out, but read "bob: late"$/],
      [[alice, bob, { ...carol, status: "active" }], /^carol is out, but does not know it$/],
      [[alice, bob, { ...carol, authenticator: "aa11" }], /^carol is out, but has a key$/],
      [[{ ...alice, authenticator: "" }, { ...bob, authenticator: "" }, carol], /^alice has no authenticator$/],
    ]
    for (const [views, says] of cases) {
      const found = disagreements(views, expectation)
      assert.ok(
        found.some((fault) => says.test(fault)),
        `${says}: ${found.join("; ")}`,
      )
    }
  })
})
