import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { decode, encode } from "@conclave/codec"
import { AuthResponse } from "@conclave/contracts/auth"
import type { Staged, State } from "../src/conversation/state.js"
import { step } from "../src/conversation/step.js"
import { ConversationHandle } from "../src/device/handle.js"
import type { Client, Store, StoreChanges } from "../src/index.js"
import { memoryStore } from "../src/store/memory.js"
import { tampered } from "./support/tampered.js"
import { settle, World } from "./support/world.js"

const only = (client: Client) => [...client.conversations.values()][0]!

/** Bob in a conversation with others; notes what his device sends, in order, with the epoch that it is of. */
async function people(
  world: World,
  others: readonly string[],
  options: { store?: Store; auth?: World["transport"] } = {},
) {
  const line = { sent: [] as string[], pass: async () => {} }
  const delivery = tampered(world.transport("delivery"), async (request, pass) => {
    if (request.type !== "append") return pass()
    line.sent.push(`${request.kind} ${request.epoch}`)
    await line.pass()
    return pass()
  })
  const auth = (options.auth ?? ((service) => world.transport(service)))("auth")
  const [alice, bob] = [
    await world.open("alice"),
    await world.open("bob", { delivery, auth, ...(options.store && { store: options.store }) }),
  ]
  const clients = [alice, bob]
  for (const name of others) clients.push(await world.open(name))
  const team = await alice.createConversation({ members: ["bob", ...others] })
  await settle(...clients)
  // The group is in memory from here on, and the log read to its head.
  await only(bob).send("hello")
  await settle(...clients)
  line.sent.length = 0
  const conversation = only(bob)
  assert.ok(conversation instanceof ConversationHandle)
  return { line, alice, bob, clients, team, conversation, driver: conversation.driver }
}

describe("a message is encrypted", () => {
  it("after a member who wants to leave was let go: that member cannot read it", async () => {
    await using world = new World({ inMemory: true })
    const { line, bob, clients, conversation } = await people(world, ["carol"])
    await only(clients[2]!).leave()
    await bob.sync()
    assert.deepEqual(conversation.members, ["alice", "bob", "carol"])
    await conversation.send("among us")
    assert.deepEqual(line.sent, ["commit 1", "application 2"])
    assert.deepEqual(conversation.members, ["alice", "bob"])
  })

  it("after the log was read to its head", async () => {
    await using world = new World({ inMemory: true })
    const { line, team, conversation, driver } = await people(world, [])
    await team.refresh()
    driver.bring({ type: "head unknown" })
    await conversation.send("in the epoch that it is now")
    assert.deepEqual(line.sent, ["application 2"])
  })

  it("after it is known which commit is the last one", async () => {
    await using world = new World({ inMemory: true })
    const { line, conversation, driver } = await people(world, [])
    const { position } = driver.state
    // More than the service lets a message be behind.
    for (let n = 0; n < 9; n++) await conversation.refresh()
    line.sent.length = 0
    position.reload({ ...position.stored, lastCommit: undefined })
    await conversation.send("after the last commit")
    assert.deepEqual(line.sent, ["application 10"])
  })

  it("after a commit that was not allowed in the end has been forgotten", async () => {
    await using world = new World({ inMemory: true })
    let lookUps = 0
    const auth: World["transport"] = (service) => {
      const transport = world.transport(service)
      return {
        ...transport,
        async request(body, options) {
          const answer = decode(AuthResponse, await transport.request(body, options))
          const isHidden = answer.type === "devices" && answer.name === "carol" && ++lookUps === 3
          return encode(AuthResponse, isHidden ? { type: "notFound" } : answer)
        },
      }
    }
    let sending: Promise<string> | undefined
    const store = watched(({ delete: gone }) => {
      if (lookUps === 3 && [...gone].some((key) => key.includes("/wish/"))) sending ??= conversation.send("without her")
    })
    const { line, team, alice, bob, conversation } = await people(world, [], { store, auth })
    await world.open("carol")
    await assert.rejects(conversation.invite("carol"), { code: "REFUSED" })
    await sending
    await conversation.refresh()
    assert.deepEqual(line.sent, ["application 1", "commit 1"])
    await settle(alice, bob)
    assert.deepEqual([team.epoch, (await team.history()).at(-1)?.text], [2n, "without her"])
  })
})

describe("a message is not encrypted at once", () => {
  const pause = { tries: 1, retryAt: 1 }
  const outgoing = { epoch: 1n, body: new Uint8Array(), request: new Uint8Array() }
  const before: Readonly<Record<string, (state: State) => void>> = {
    "a device comes back into the group": (state) => (state.facts = { ...state.facts, status: "recovering" }),
    "what the service did not take is sent again": (state) =>
      (state.obstacle = { type: "deferred", of: "message", pause }),
    "this device's leaf is renewed": (state) => (state.facts = { ...state.facts, renewalDue: true }),
    "a commit is sent": (state) => {
      state.commit = { outgoing, wishes: [] }
    },
    "what is staged has been judged": (state) => (state.staged = {} as Staged),
  }
  /** How many ciphertexts there are when the step that stores the wish has been taken. */
  async function encryptedAtOnce(change: (state: State) => void): Promise<number> {
    await using world = new World({ inMemory: true })
    const { driver } = await people(world, [])
    const { state } = driver
    change(state)
    const wish = { type: "say", body: { type: "text", text: "hello" } } as const
    step(state, { type: "wished", wish }, driver.moment())
    return state.wishes.encrypted().length
  }

  for (const [what, change] of Object.entries(before)) {
    it(`before ${what}`, async () => {
      assert.equal(await encryptedAtOnce(change), 0)
    })
  }

  it("unless nothing is before it", async () => {
    assert.equal(await encryptedAtOnce(() => {}), 1)
  })
})

/** A store in memory; `look` sees what is about to be written. */
function watched(look: (changes: StoreChanges) => void): Store {
  const memory = memoryStore()
  return {
    lost: memory.lost,
    get: (key) => memory.get(key),
    list: (prefix, options) => memory.list(prefix, options),
    async transaction(changes) {
      look(changes)
      await memory.transaction(changes)
    },
    [Symbol.asyncDispose]: () => memory[Symbol.asyncDispose](),
  }
}
