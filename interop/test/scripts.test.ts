import assert from "node:assert/strict"
import { after, before, describe, test } from "node:test"
import { conclave } from "@conclave/interop"
import { runScript, ScriptFailure } from "../src/scripts/runner.js"
import { type Step, scripts } from "../src/scripts/scripts.js"
import { callNames, RemoteClient, type RunningServer, serve } from "../src/service/grpc.js"
import { InteropService } from "../src/service/service.js"

describe("our server", () => {
  let server: RunningServer
  let client: RemoteClient

  before(async () => {
    server = await serve(new InteropService(conclave()), 0)
    client = new RemoteClient(`127.0.0.1:${server.port}`)
  })
  after(() => {
    client.close()
    server.close()
  })

  const play = (script: readonly Step[], suite: number, encryptHandshake: boolean) =>
    runScript(script, { of: () => client, suite, otherSuite: suite === 3 ? 1 : 3, encryptHandshake })

  test("answers the working group's 34 calls", () => {
    assert.equal(callNames().length, 34)
  })

  for (const [name, script] of Object.entries(scripts)) {
    test(`plays "${name}"`, async () => {
      await play(script, 1, true)
      await play(script, 2, false)
    })
  }

  test("a script whose members disagree fails", async () => {
    const forks: Step[] = [
      { do: "createGroup", by: "alice", members: ["bob"] },
      { do: "commit", by: "alice" },
      { do: "protect", by: "alice", text: "of an epoch that bob is not in", authenticated: "" },
      { do: "unprotect", by: "bob", message: 2 },
    ]
    await assert.rejects(play(forks, 1, true), (error) => error instanceof ScriptFailure && error.step === 3)
  })

  test("nonsense is refused with a reason, and the server stays", async () => {
    const nothing = new Uint8Array(0)
    const wrong = [
      client.call("StateAuth", { stateId: 4711 }),
      client.call("CreateGroup", { groupId: nothing, cipherSuite: 99, encryptHandshake: true, identity: nothing }),
      client.call("GroupInfo", { stateId: 0, externalTree: true }),
      client.call("NewMemberAddProposal", { groupInfo: Uint8Array.of(1, 2, 3), identity: nothing }),
    ]
    for (const call of wrong) await assert.rejects(call, /\w/)
    const { name } = await client.call("Name", {})
    assert.match(name, /^conclave /)
    await play(scripts["messages: in order"]!, 1, true)
  })
})
