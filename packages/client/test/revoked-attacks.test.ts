import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { decode, encode } from "@conclave/codec"
import {
  type AuthRequest,
  AuthResponse,
  authRequests,
  type Device,
  REGISTRATION_LABEL,
  REVOCATION_LABEL,
  RegistrationTBS,
  type Revocation,
  RevocationTBS,
} from "@conclave/contracts/auth"
import type { SigningKey } from "@conclave/crypto"
import { cipherSuite, createKeyPackage, dangerouslyAcceptAll, Group, signWithLabel } from "@conclave/mls"
import type { Transport } from "@conclave/transport"
import { encodePayload, PAYLOAD_VERSION } from "../src/conversation/payload.js"
import type { Client, ClientEvent } from "../src/index.js"
import { Mallory } from "./support/mallory.js"
import { provider, settle, taken, World } from "./support/world.js"

const HOUR = 3_600_001
const suite = cipherSuite(1, provider)

async function ask(world: World, request: AuthRequest): Promise<AuthResponse> {
  return decode(AuthResponse, await world.transport("auth").request(authRequests.encode(request)))
}

function statement(
  name: string,
  by: SigningKey,
  { deviceId, signatureKey }: Pick<Device, "deviceId" | "signatureKey">,
  at: number,
) {
  const said = { deviceId, signatureKey, revokerKey: by.publicKey, at: BigInt(at) }
  return { ...said, signature: signWithLabel(by, REVOCATION_LABEL, encode(RevocationTBS, { name, ...said })) }
}

/** Each asks about one other member an hour. */
async function hours(world: World, count: number, ...clients: readonly Client[]): Promise<void> {
  for (let n = 0; n < count; n++) {
    world.now += HOUR
    for (const client of clients) await client.sync()
  }
}

const texts = (events: readonly ClientEvent[]) =>
  events.flatMap((it) => (it.type === "message" ? [`${it.from}: ${it.text}`] : []))
const types = (events: readonly ClientEvent[]) => events.map(({ type }) => type)

/** Alice, Bob and Mallory in a conversation; `auth`: what Bob's directory is replaced by. */
async function team(world: World, auth?: Transport) {
  const [alice, mallory] = [await world.open("alice"), await world.open("mallory")]
  const bob = await world.open("bob", { ...(auth && { auth }) })
  const { id } = await alice.createConversation({ title: "team", members: ["bob", "mallory"] })
  await settle(alice, bob, mallory)
  for (const client of [alice, bob, mallory]) await taken(client)
  return { alice, mallory, bob, id, of: (client: Client) => client.conversations.get(id)! }
}

describe("a statement that a device was revoked", () => {
  it("gives its key no other name to speak under", async () => {
    await using world = new World({ inMemory: true })
    const { mallory, bob, of } = await team(world)
    const { mallory: first, group } = await Mallory.inside(world, mallory)
    const second = new Mallory(world, "mallory")
    const { publicKey: signatureKey } = second.signer.key
    const content = encode(RegistrationTBS, { name: "mallory", cipherSuite: 1, signatureKey })
    const signature = signWithLabel(second.signer.key, REGISTRATION_LABEL, content)
    const endorsement = {
      deviceId: first.deviceId,
      signature: signWithLabel(first.signer.key, REGISTRATION_LABEL, content),
    }
    world.now += 1_000
    const registered = await ask(world, {
      type: "register",
      name: "mallory",
      cipherSuite: 1,
      signatureKey,
      signature,
      endorsement,
    })
    assert.equal(registered.type, "registered")
    const { deviceId } = second
    const revocations = [statement("mallory", first.signer.key, { deviceId, signatureKey }, world.now)]
    assert.equal((await ask(world, { type: "revoke", name: "mallory", revocations, endorsements: [] })).type, "revoked")
    await hours(world, 4, bob)
    await taken(bob)
    // Her own revoked key comes into the group as Alice's.
    const asAlice = {
      key: second.signer.key,
      credential: { type: "basic", identity: new TextEncoder().encode("alice") },
    } as const
    const seconds = BigInt(Math.floor(world.now / 1_000))
    const lifetime = { notBefore: seconds - 60n, notAfter: seconds + 86_400n }
    const bundle = createKeyPackage({ suite, signer: asAlice, lifetime })
    const { welcome } = await first.commit(group, { add: [bundle.keyPackage] })
    const staged = Group.stageJoin({
      ...first.options,
      signer: asAlice,
      suite,
      welcome: welcome!,
      keyPackages: [bundle],
    })
    const posing = staged.accept(dangerouslyAcceptAll(staged.claims))
    const body = { type: "text", text: "I am alice: send the money" } as const
    const payload = { version: PAYLOAD_VERSION, messageId: provider.random(16), sentAt: BigInt(world.now), body }
    await first.append(group.id, {
      kind: "application",
      epoch: posing.epoch,
      body: posing.encrypt(encodePayload(payload)),
    })
    await bob.sync()
    const events = await taken(bob)
    assert.deepEqual(texts(events), [])
    assert.ok(types(events).includes("keyChanged") && types(events).includes("halted"), types(events).join())
    assert.deepEqual(await of(bob).history(), [])
  })

  it("is not looked for among more devices than can be verified in about a second", async () => {
    await using world = new World({ inMemory: true })
    let count = 0
    const auth = lying(world.transport("auth"), (answer) => {
      if (answer.type !== "devices" || count === 0) return answer
      const [device] = answer.devices
      const revoked = new Array(count - answer.devices.length).fill({ device: device!, revocation: undefined })
      return { ...answer, revoked }
    })
    const { bob } = await team(world, auth)
    count = 2_000
    assert.equal((await bob.devices("mallory")).length, 1)
    count = 2_001
    await assert.rejects(bob.devices("mallory"), { code: "REFUSED", message: /more than 2000 devices of mallory/ })
  })

  for (const victim of ["alice", "bob"]) {
    it(`says nothing of ${victim}'s key where the directory lists that as another person's device`, async () => {
      await using world = new World({ inMemory: true })
      let lie: ((answer: Extract<AuthResponse, { type: "devices" }>) => AuthResponse) | undefined
      const auth = lying(world.transport("auth"), (answer) =>
        lie !== undefined && answer.type === "devices" && answer.name === "mallory" ? lie(answer) : answer,
      )
      const { mallory, bob, of } = await team(world, auth)
      const { mallory: first } = await Mallory.inside(world, mallory)
      const listed = await ask(world, { type: "lookup", name: victim })
      assert.ok(listed.type === "devices")
      const device = { ...listed.devices[0]!, registeredAt: BigInt(world.now), endorsement: undefined }
      const revocation: Revocation = statement("mallory", first.signer.key, device, world.now)
      lie = (answer) => ({ ...answer, revoked: [{ device, revocation }] })
      await hours(world, 4, bob)
      assert.deepEqual(types(await taken(bob)), [])
      assert.deepEqual([...of(bob).members], ["alice", "bob", "mallory"])
      await of(bob).send("hello")
      await settle(bob)
    })
  }
})

function lying(transport: Transport, lie: (answer: AuthResponse) => AuthResponse): Transport {
  return {
    ...transport,
    request: async (request, options) =>
      encode(AuthResponse, lie(decode(AuthResponse, await transport.request(request, options)))),
    [Symbol.asyncDispose]: async () => {},
  }
}
