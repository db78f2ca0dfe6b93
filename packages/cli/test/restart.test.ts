import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { type Conversation, openClient } from "@conclave/client/node"
import { runHere, Service } from "./support.js"

describe("/restart", () => {
  it("goes on in a new group without whoever has locked the others out, and the others accept it as that", async () => {
    await using service = await Service.start()
    const chat = async (name: string, ...lines: readonly string[]) =>
      (await service.here(["chat", "--as", name], { input: `${lines.join("\n")}\n` })).output.toString()
    const key = { sealingKey: new Uint8Array(32).fill(1) }
    await using mallory = await openClient({
      ...{ name: "mallory", service: service.address, profile: service.folder.file("mallory.own"), ...key },
    })
    await chat("bob", "/list")
    await chat("alice", "/new team bob mallory", "hello")
    await chat("bob", "/accept", "hello, alice")
    const [theirs] = mallory.conversations.values()
    await lockOut(theirs!)
    const stopped = await chat("alice", "/open team", "/list")
    assert.match(stopped, /mallory has locked the others out/)
    assert.match(stopped, /Go on with those you trust in a new group \(\/restart without mallory\)/)
    const kept = await runHere(["chat", "--as", "bob", ...service.place], { input: "not sent\n/history\n" })
    assert.equal(kept.code, 1)
    assert.match(kept.output.toString(), /^this is not sent: commit 5 .*\. In team, \/restart goes on in a new group$/m)
    const refused = await runHere(["chat", "--as", "alice", ...service.place], {
      input: "/open team\n/restart mallory\n/restart without\n/restart without nobody\n",
    })
    assert.equal(refused.output.toString().match(/usage: \/restart \[without NAME…\]/g)?.length, 1)
    assert.match(refused.output.toString(), /nobody is not in this conversation/)
    const restarted = await chat("alice", "/open team", "/restart without mallory", "we go on", "/history", "/list")
    assert.match(restarted, /^a new group takes the place of team; asked to join: bob$/m)
    assert.match(restarted, /alice: hello\n.*bob: hello, alice\n.*alice: we go on/)
    assert.equal(restarted.match(/^ {2}\d {2}team/gm)?.length, 1, restarted)
    const asked = await chat("bob", "/list")
    assert.match(asked, /alice asks you to go on in a new group, instead of "team"\. mallory is left out: \/accept/)
    const said = await runHere(
      ["receive", "--as", "bob", "--timeout", "0.5", "--accept-invitations", "all", ...service.place],
      {},
    )
    assert.match(said.errors, /1 invitation has no answer/, "no option answers it")
    const accepted = await chat("bob", "/accept", "/history", "/list", "so do I")
    assert.match(accepted, /alice: hello\n.*bob: hello, alice\n.*alice: we go on/)
    assert.equal(accepted.match(/^ {2}\d {2}team/gm)?.length, 1, accepted)
    assert.match(await chat("alice", "/history"), /bob: so do I/)
  })
})

interface Changeable {
  readonly driver: {
    readonly means: {
      readonly identity: { readonly signatureKey: Uint8Array }
      step: (...given: unknown[]) => { readonly effects: readonly Effect[] }
    }
  }
}
interface Effect {
  readonly question?: { readonly sent?: { readonly of: string }; readonly request?: Uint8Array }
}
/** What follows the access key in a request with a commit: whether it removes, no answers, `after`, no access yet. */
const AFTER_KEY = 1 + 1 + 8 + 1

/** As a member who has changed the SDK: commits with a key that nobody else has, at which everybody stops. */
async function lockOut(conversation: Conversation): Promise<void> {
  const { means } = (conversation as unknown as Changeable).driver
  const { step } = means
  means.step = (...given) => {
    const stepped = step(...given)
    for (const { question } of stepped.effects) {
      if (question?.sent?.of !== "commit") continue
      const request = question.request!
      request.set(means.identity.signatureKey, request.length - AFTER_KEY - 32)
    }
    return stepped
  }
  await conversation.refresh().catch(() => {})
}
