import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { nodeProvider } from "@conclave/crypto/node"
import {
  conclave,
  type Neighbour,
  type NeighbourClient,
  type NeighbourGroup,
  openMls,
  tsMls,
  tsMlsNext,
} from "@conclave/interop"
import { cipherSuite, createKeyPackage } from "@conclave/mls"

const ours = conclave()
const utf8 = (text: string) => new TextEncoder().encode(text)

/** The same 32 bytes of the exporter, and the same authenticator where both tell it. */
async function agree(...groups: readonly NeighbourGroup[]): Promise<void> {
  const exported = await Promise.all(groups.map((it) => it.exportSecret("interop", utf8("context"), 32)))
  for (const it of exported) assert.deepEqual(it, exported[0])
  const told = await Promise.all(groups.flatMap((it) => (it.authenticator ? [it.authenticator()] : [])))
  for (const it of told) assert.deepEqual(it, told[0])
}

async function talk(from: NeighbourGroup, ...to: readonly NeighbourGroup[]): Promise<void> {
  for (const text of ["one", "two"]) {
    const message = await from.encrypt(utf8(text))
    for (const group of to) {
      const received = await group.receive(message)
      assert.deepEqual(received.type === "application" && Buffer.from(received.plaintext).toString(), text)
    }
  }
}

async function commit(
  group: NeighbourGroup,
  changes: Parameters<NeighbourGroup["commit"]>[0],
  others: NeighbourGroup[],
) {
  const made = await group.commit(changes)
  await group.applyPending()
  for (const other of others) {
    for (const proposal of made.proposals ?? []) await other.receive(proposal)
    await other.receive(made.commit)
  }
  return made
}

/** Adds a client, whose library may want the tree beside the Welcome. */
async function add(group: NeighbourGroup, client: NeighbourClient, keyPackage: Uint8Array, others: NeighbourGroup[]) {
  const { welcome } = await commit(group, [{ type: "add", keyPackage }], others)
  return client.join(welcome!, await group.ratchetTree?.())
}

function leafOf(group: NeighbourGroup, identity: string): number {
  return group.members!().find((member) => member.identity === identity)!.leafIndex
}

for (const neighbour of [tsMls, tsMlsNext]) {
  describe(`live with ${neighbour.name} ${neighbour.version}`, () => {
    for (const suite of ours.suites.filter((it) => neighbour.suites.includes(it))) {
      // The framing does not depend on the suite: public handshakes with two of them.
      for (const handshake of suite <= 2 ? (["private", "public"] as const) : (["private"] as const)) {
        test(`suite ${suite}, ${handshake} handshakes: create, add, join, talk, update, remove, export`, async () => {
          await converse(ours, neighbour, suite, handshake)
          await converse(neighbour, ours, suite, handshake)
        })
      }
    }
  })
}

/** `first` creates the group, and both add somebody of the other library. */
async function converse(first: Neighbour, second: Neighbour, suite: number, handshake: "private" | "public") {
  const alice = await first.client("alice", suite, { handshake })
  const bob = await second.client("bob", suite, { handshake })
  const carol = await first.client("carol", suite, { handshake })
  const a = await alice.create(utf8(`${first.name} ${second.name} ${suite} ${handshake}`))
  const b = await add(a, bob, await bob.keyPackage(), [])
  await agree(a, b)
  await talk(a, b)
  await talk(b, a)

  const c = await add(b, carol, await carol.keyPackage(), [a])
  await agree(a, b, c)
  await talk(c, a, b)
  for (const [group, others] of [
    [a, [b, c]],
    [b, [a, c]],
  ] as const) {
    await commit(group, [], [...others])
    await agree(a, b, c)
    await talk(group, ...others)
  }
  // ts-mls 2 sends a removal without an UpdatePath: see below.
  const [remover, other] = first === ours ? [a, b] : [b, a]
  await commit(remover, [{ type: "remove", leafIndex: leafOf(remover, "carol") }], [other])
  await agree(a, b)
  await talk(a, b)
  const late = await a.encrypt(utf8("not for carol"))
  await assert.rejects(async () => c.receive(late))
  const left = (await Promise.all([a.exportSecret("x", utf8(""), 16), c.exportSecret("x", utf8(""), 16)])).map(String)
  assert.notEqual(left[0], left[1])
}

test("a leaf node that never expires, as the clients of the group's runner make them, is let in", async () => {
  const suite = cipherSuite(1, nodeProvider())
  const signer = {
    credential: { type: "basic", identity: utf8("forever") },
    key: suite.signature.generate(suite.provider.random),
  } as const
  const forever = createKeyPackage({ suite, signer, lifetime: { notBefore: 0n, notAfter: 2n ** 64n - 1n } })
  const [alice, bob] = [await ours.client("alice", 1), await ours.client("bob", 1)]
  const a = await alice.create(utf8("forever"))
  const b = await add(a, bob, await bob.keyPackage(forever.keyPackage), [])
  await commit(a, [{ type: "add", keyPackage: forever.keyPackage }], [b])
  await agree(a, b)
})

test("a removal without an UpdatePath, as ts-mls 2.0.0-rc.10 commits it, is refused and changes nothing", async () => {
  const [alice, bob] = [await ours.client("alice", 1), await ours.client("bob", 1)]
  const a = await alice.create(utf8("no path"))
  const b = await add(a, bob, await bob.keyPackage(), [])
  const newcomer = await tsMlsNext.client("carol", 1)
  const c = await add(a, newcomer, await newcomer.keyPackage(), [b])
  const removal = await c.commit([{ type: "remove", leafIndex: leafOf(c, "bob") }])
  await assert.rejects(a.receive(removal.commit), { rule: "commit-path-required" })
  await agree(a, b)
  await talk(b, a)
})

describe(`live with ${openMls.name} ${openMls.version}`, () => {
  const suite = openMls.suites[0]!

  test("it joins our group, and both talk and follow our updates", async () => {
    const alice = await ours.client("alice", suite)
    const bob = await openMls.client("bob", suite)
    const a = await alice.create(utf8("ours"))
    const { welcome } = await commit(a, [{ type: "add", keyPackage: await bob.keyPackage() }], [])
    const b = await bob.join(welcome!)
    await agree(a, b)
    await talk(a, b)
    await talk(b, a)
    await commit(a, [], [b])
    await agree(a, b)
    await talk(a, b)
    await talk(b, a)
  })

  test("we join its group, and both talk and follow our updates and removals", async () => {
    const alice = await openMls.client("alice", suite)
    const bob = await ours.client("bob", suite)
    const a = await alice.create(utf8("theirs"))
    const keyPackage = await bob.keyPackage(await alice.keyPackage())
    const b = await add(a, bob, keyPackage, [])
    await agree(a, b)
    await talk(a, b)
    await talk(b, a)
    await commit(b, [], [a])
    await agree(a, b)
    await talk(a, b)
    const carol = await ours.client("carol", suite)
    const c = await add(a, carol, await carol.keyPackage(await alice.keyPackage()), [b])
    await agree(a, b, c)
    await talk(c, a, b)
    await commit(c, [{ type: "remove", leafIndex: leafOf(c, "bob") }], [a])
    await agree(a, c)
    await talk(a, c)
  })
})
