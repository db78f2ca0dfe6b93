/**
 * The recipes of CONTRIBUTING.md, followed in a copy of what is compiled: each change is made in the files that its recipe
 * names and in no other, and then it is used. A layout in which a change needs one file more fails here.
 */
import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { after, test } from "node:test"
import { files, read, root } from "./repository.js"
import { createWorkplace, endOnSignals, removeFolder } from "./workplace.js"

endOnSignals()
const place = createWorkplace(root)
after(() => removeFolder(place))

/** Puts `text` before the one place in a compiled file where `before` is. */
function insert(file: string, text: string, before: string): void {
  const path = join(place, file)
  const code = readFileSync(path, "utf8")
  assert.equal(code.split(before).length, 2, `${file} has not one place that reads ${before}`)
  writeFileSync(
    path,
    code.replace(before, () => text + before),
  )
}

/** Runs a program in the copy, to its end. */
function run(words: readonly string[]): { readonly code: number | null; readonly output: string } {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const ran = spawnSync(process.execPath, words, { cwd: place, env, encoding: "utf8", timeout: 60_000 })
  return { code: ran.status, output: ran.stdout + ran.stderr }
}

function runScript(name: string, script: string): void {
  writeFileSync(join(place, name), script)
  const { code, output } = run([name])
  assert.equal(code, 0, output)
}

test("a type of proposal is its struct in wire.ts and a row of proposal-kinds.ts", () => {
  const wire = "packages/mls/dist/src/wire.js"
  const kinds = "packages/mls/dist/src/group/proposal-kinds.js"
  insert(wire, `export const SelfRemove = struct("SelfRemove", {});\n`, "/** §12.1. Types beyond these seven")
  insert(wire, "    selfRemove: 10,\n", "});\nexport const Add = struct(")
  insert(wire, "    selfRemove: SelfRemove,\n", `}, "open");\nexport const ExternalSender = struct(`)
  insert(
    kinds,
    `selfRemove: {
      isExternal: false,
      needsPath: true,
      step: "removals",
      makes: { selfRemove: () => ({ type: "selfRemove" }) },
      validateAll(items, { committer, change }) {
        for (const { sender } of items) {
          rule(memberLeaf(sender) !== committer, "list-remove-of-committer")
          change(memberLeaf(sender))
        }
      },
      removes: ({ sender }) => memberLeaf(sender),
      claim: ({ sender }) => "leaf " + memberLeaf(sender),
      isTaken: ({ sender }, { epoch }) => memberLeaf(sender) !== epoch.ownLeafIndex,
      apply(by, draft) {
        draft.tree.removeLeaf(memberLeaf(by.sender))
        draft.removals.push({ leafIndex: memberLeaf(by.sender), by })
      },
    },
    `,
    "// RFC 9420 §12.1.3\n",
  )
  runScript(
    "proposal.mjs",
    `import assert from "node:assert/strict"
    import { decodeKeyPackage } from "@conclave/mls"
    import { keyPackageOf, person } from "./packages/mls/dist/test/group-fixture.js"
    import { scene, settle } from "./packages/mls/dist/test/rules/scene.js"
    assert(decodeKeyPackage(keyPackageOf(person("ann")).keyPackage).leafNode.capabilities.proposals.includes(10))
    const { alice, bob, groups } = scene()
    const { message } = bob.propose({ type: "selfRemove" })
    for (const it of [alice, groups[2]]) assert.equal(it.receive(message).proposal.type, "selfRemove")
    assert.throws(() => alice.commit({ path: false, proposals: [{ type: "selfRemove" }] }), {
      rule: "list-remove-of-committer",
    })
    const sent = alice.commit({ path: false })
    assert.deepEqual(sent.updated.map(({ leafIndex }) => leafIndex), [alice.ownLeafIndex])
    const { staged } = groups[2].receive(sent.message)
    assert.equal(staged.removals[0].proposedBy.leafIndex, bob.ownLeafIndex)
    assert.equal(bob.receive(sent.message).staged.selfRemoved, true)
    settle(groups[2], staged)
    settle(alice, sent)
    assert.equal(alice.member(bob.ownLeafIndex), undefined)
    assert.deepEqual(alice.epochAuthenticator, groups[2].epochAuthenticator)`,
  )
})

test("only rows go by the type of a proposal, and the few places where the RFC gives one a part of its own", () => {
  const types = "add|update|remove|psk|reinit|externalInit|groupContextExtensions|registered"
  const byType = new RegExp(`proposal\\.type [!=]== "|\\bcase "(?:${types})"|\\["(?:${types})", "`)
  const places = files("packages/mls/src")
    .filter((file) => /\.ts$/.test(file) && !/\/(?:wire|proposal-kinds)\.ts$/.test(file))
    .flatMap((file) =>
      read(file)
        .split("\n")
        .filter((line) => byType.test(line))
        .map((line) => `${file.split("/").at(-1)}: ${line.match(byType)![0]}`),
    )
  const isNew = 'proposal.type === "'
  assert.deepEqual(places, [
    `profile.ts: ${isNew}`, // A rejoin has an ExternalInit.
    `suite-choice.ts: ${isNew}`, // Of a ReInit,
    `suite-choice.ts: ${isNew}`, // and of the first members.
    `transition.ts: ${isNew}`, // What the application has registered is shown to it.
  ])
})

test("a cipher suite with a KEM of another kind is a file of each provider and a row of suite.ts", () => {
  // Its keys, outputs and randomness have sizes that no group has. It hides nothing: only its shape matters.
  const kem = `kems: {
    other: {
      id: 0x7f01, secretSize: 48, encSize: 70, publicKeySize: 50, privateKeySize: 60, ephemeralSize: 20,
      deriveKeyPair(material) {
        const privateKey = new Uint8Array(60).map((_, i) => material[i % material.length] ^ i)
        return { privateKey, publicKey: this.publicKey(privateKey) }
      },
      publicKey: (privateKey) => privateKey.slice(0, 50),
      isPublicKey: (bytes) => bytes.length === 50,
      encapsulate(publicKey, ephemeral) {
        const kemOutput = new Uint8Array(70)
        kemOutput.set(ephemeral)
        return { kemOutput, sharedSecret: this.secretOf(publicKey, kemOutput) }
      },
      decapsulate(privateKey, kemOutput) {
        return kemOutput.length === 70 ? this.secretOf(privateKey, kemOutput) : undefined
      },
      secretOf: (key, kemOutput) => new Uint8Array(48).map((_, i) => key[i] ^ kemOutput[i]),
    },
  }, `
  for (const provider of ["node", "portable"]) {
    const file = `packages/crypto/dist/src/${provider}/groups.js`
    insert(file, kem, `groups };`)
  }
  insert(
    "packages/mls/dist/src/suite/suite.js",
    `  OTHER: { number: 0xf001, kem: "other", aead: "AES-256-GCM", hash: "SHA-384", signature: "Ed25519" },\n`,
    "};\n/** The numbers of all suites that this library knows; a provider",
  )
  runScript(
    "suite.mjs",
    `import assert from "node:assert/strict"
    import { nodeProvider } from "@conclave/crypto/node"
    import { portableProvider } from "@conclave/crypto/portable"
    import { cipherSuite, createKeyPackage, dangerouslyAcceptAll, Group } from "@conclave/mls"
    const person = (name, provider) => {
      const suite = cipherSuite(0xf001, provider)
      const credential = { type: "basic", identity: new TextEncoder().encode(name) }
      return { suite, now: () => 1_800_000_000n, signer: { credential, key: suite.signature.generate(provider.random) } }
    }
    const accept = (staged) => dangerouslyAcceptAll(staged.claims)
    const [alice, bob, carol] = [person("alice", nodeProvider()), person("bob", portableProvider()), person("carol", nodeProvider())]
    const group = Group.create({ ...alice, groupId: new Uint8Array(32).fill(7) })
    const bundle = createKeyPackage({ ...bob, lifetime: { notBefore: 1_799_000_000n, notAfter: 1_801_000_000n } })
    const commit = group.commit({ add: [bundle.keyPackage] })
    group.apply(commit, accept(commit))
    const staged = Group.stageJoin({ ...bob, welcome: commit.welcome, keyPackages: [bundle] })
    const joined = staged.accept(accept(staged))
    const next = joined.commit()
    joined.apply(next, accept(next))
    const received = group.receive(next.message)
    group.apply(received.staged, accept(received.staged))
    assert.deepEqual([...group.receive(joined.encrypt(Uint8Array.of(1, 2))).plaintext], [1, 2])
    const groupInfo = group.groupInfo({ withExternalPub: true, withRatchetTree: true })
    const outside = Group.stageExternalJoin({ ...carol, groupInfo })
    const entered = joined.receive(outside.message)
    joined.apply(entered.staged, accept(entered.staged))
    assert.deepEqual(outside.accept(accept(outside)).epochAuthenticator, joined.epochAuthenticator)`,
  )
})

test("a database is a package: one source file names the stores that the services run on", () => {
  const makers = files("packages")
    .filter((file) => /^packages\/(?!sqlite\/|postgres\/)[^/]+\/src\/.*\.tsx?$/.test(file))
    .filter((file) => /\b(?:delivery|auth)Store\(/.test(read(file)))
  assert.equal(makers.length, 1, makers.join())
  // What a store has to do is tested by functions that another package can call.
  for (const service of ["delivery", "auth"]) {
    const support = `@conclave/testing/${service}`
    runScript(
      "stores.mjs",
      `import assert from "node:assert/strict"
      import { storeConformance } from "${support}"
      assert.equal(storeConformance.length, 2)`,
    )
  }
})

test("a client event is a row and the place that emits it", () => {
  insert(
    "packages/client/dist/src/kinds/conversation-events.js",
    `poked: eventKind({
      number: 200,
      fields: { conversation, by: text },
      severity: "notice",
      words: ({ by }, reader) => [subject(by, reader) + " poked you"],
    }),
    `,
    "left: eventKind({",
  )
  insert(
    "packages/client/dist/src/conversation/messages.js",
    `turn.emit({ type: "poked", conversation: state.id, by: from });\n`,
    `turn.emit({ type: "message",`,
  )
  runScript(
    "event.mjs",
    `import assert from "node:assert/strict"
    import { eventWords } from "@conclave/client/node"
    import { next, settle, World } from "./packages/client/dist/test/support/world.js"
    const world = new World({ inMemory: true })
    const [alice, bob] = [await world.open("alice"), await world.open("bob")]
    const team = await alice.createConversation({ members: ["bob"] })
    await team.send("hello")
    await settle(alice, bob)
    await bob.close()
    const event = await next(await world.open("bob"), "poked")
    assert.deepEqual([event.by, event.conversation.id], ["alice", team.id])
    const reader = { name: "bob", peopleMax: 3, person: (name) => name, personAs: (name) => name }
    assert.deepEqual(eventWords(event, reader), ["alice poked you"])
    await world[Symbol.asyncDispose]()`,
  )
})

test("a command is a file in commands and a row of each language: it is listed, suggested, helps and runs", () => {
  const folder = "packages/cli/dist/src/commands"
  writeFileSync(
    join(place, folder, "whoami.js"),
    `import { command } from "../arguments.js"
    import { asOption } from "../options.js"
    export const whoami = command({
      options: { as: asOption },
      run: async ({ as }, { terminal }) => (await terminal.write(as + "\\n"), 0),
    })`,
  )
  for (const [language, summary] of [
    ["en", "say who asks"],
    ["de", "sagen, wer fragt"],
  ]) {
    const row = `whoami: { summary: ${JSON.stringify(summary)} },\n`
    insert(`packages/cli/dist/src/words/${language}/help-machine.js`, row, "doctor: {")
  }
  const conclave = (...words: readonly string[]) => run(["packages/cli/dist/src/main.js", ...words])
  assert.match(conclave("--help").output, /^ {2}whoami +say who asks$/m)
  assert.match(conclave("--help", "--language", "de").output, /^ {2}whoami +sagen, wer fragt$/m)
  assert.match(conclave("whoamy").output, /did you mean whoami\?/)
  assert.match(conclave("whoami", "--help").output, /^usage: conclave whoami --as NAME$/m)
  assert.deepEqual(conclave("whoami", "--as", "alice"), { code: 0, output: "alice\n" })
})

test("a kind of content is a row: what is sent, stored, shown, told and written follows", () => {
  insert(
    "packages/client/dist/src/kinds/contents.js",
    `reaction: contentKind({
      number: 200,
      fields: { reaction: utf8, to: utf8 },
      isMessage: true,
      words: ({ reaction }) => "reacts with " + reaction,
    }),
    `,
    "title: contentKind({",
  )
  runScript(
    "content.mjs",
    `import assert from "node:assert/strict"
    import { contentJson, contentWords } from "@conclave/client/node"
    import { decodePayload, encodePayload, messageOf } from "./packages/client/dist/src/conversation/payload.js"
    import { drawMessage } from "./packages/cli/dist/src/messages.js"
    import { next, settle, World } from "./packages/client/dist/test/support/world.js"
    const body = { type: "reaction", reaction: "+1", to: "0102" }
    const payload = { version: 1, messageId: new Uint8Array(16), sentAt: 0n, body }
    const message = messageOf(decodePayload(encodePayload(payload)))
    assert.deepEqual([message.reaction, message.to], ["+1", "0102"])
    assert.equal(contentWords(message), "reacts with +1")
    assert.deepEqual(contentJson(message), { reaction: "+1", to: "0102" })
    const style = { dim: (text) => text, bold: (text) => text }
    const reader = { style, people: { name: "bob", displayName: () => undefined } }
    assert.match(drawMessage({ from: "alice", ...message }, reader), /alice.*: \\(reacts with \\+1\\)$/)
    const world = new World({ inMemory: true })
    const [alice, bob] = [await world.open("alice"), await world.open("bob")]
    const team = await alice.createConversation({ members: ["bob"] })
    await team.send({ reaction: "+1", to: "0102" })
    await settle(alice, bob)
    assert.equal((await next(bob, "message")).reaction, "+1")
    for (const client of [alice, bob]) {
      assert.equal((await client.conversations.get(team.id).history())[0].reaction, "+1")
    }
    await world[Symbol.asyncDispose]()`,
  )
})
