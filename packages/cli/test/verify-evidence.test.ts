import assert from "node:assert/strict"
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { describe, it } from "node:test"
import type { ClientEvent } from "@conclave/client/node"
import { encode } from "@conclave/codec"
import { EVIDENCE_VERSION, Evidence } from "@conclave/contracts/evidence"
import { LOG_HEAD_LABEL, LogHead } from "@conclave/contracts/heads"
import { nodeProvider } from "@conclave/crypto/node"
import { signWithLabel } from "@conclave/mls"
import { keepEvidence } from "../src/evidence.js"
import { assertReadable, conclave, Folder, runHere } from "./support.js"

const provider = nodeProvider()
const key = provider.signatures.Ed25519!.generate((length) => provider.random(length))
const groupId = new Uint8Array(32).fill(0xab)

/** Two heads of one log that a service has signed, and that cannot both be true. */
function evidence(): Uint8Array {
  const branch = (fill: number) => {
    const chainHash = new Uint8Array(32).fill(fill)
    const head = { groupId, incarnation: 1n, seq: 7n, chainHash }
    const signature = signWithLabel(key, LOG_HEAD_LABEL, encode(LogHead, head))
    return { chainHash, links: [], head: { incarnation: 1n, seq: 7n, chainHash, signature } }
  }
  const serviceKey = key.publicKey
  return encode(Evidence, { version: EVIDENCE_VERSION, serviceKey, groupId, seq: 7n, one: branch(1), other: branch(2) })
}

describe("conclave verify-evidence", () => {
  it("says what it proves, and against whom", async () => {
    using folder = new Folder()
    writeFileSync(folder.file("evidence"), evidence())
    const ran = await conclave(["verify-evidence", folder.file("evidence")])
    assert.equal(ran.code, 0)
    const output = String(ran.output)
    assert.match(output, /It holds/)
    assert.match(output, new RegExp(`service key +${Buffer.from(key.publicKey).toString("hex")}`))
    assert.match(output, new RegExp(`conversation +${"ab".repeat(32)}`))
    assert.match(output, /entry 7; it has announced no restored backup/)
  })

  it("says in a sentence why a file proves nothing", async () => {
    using folder = new Folder()
    const changed = evidence()
    changed[changed.length - 1]! ^= 1
    const files: readonly (readonly [Uint8Array, RegExp])[] = [
      [changed, /proves nothing: of the second history, the service has not signed the head/],
      [
        Buffer.from("a letter"),
        /proves nothing: this is no evidence; it seems to be text; give a file with \.evidence-/,
      ],
      [new Uint8Array(2 << 20), /proves nothing: this is no evidence, or it is cut; give a file/],
      [evidence().subarray(0, 99), /proves nothing: this is no evidence, or it is cut; give a file/],
      [new Uint8Array(), /proves nothing: this is no evidence; there is nothing in it; give a file/],
    ]
    for (const [bytes, says] of files) {
      writeFileSync(folder.file("evidence"), bytes)
      const ran = await runHere(["verify-evidence", folder.file("evidence")])
      assert.equal(ran.code, 1)
      assertReadable(ran, says)
      assert.doesNotMatch(ran.errors, /at byte/)
    }
    assertReadable(await runHere(["verify-evidence", folder.file("nowhere")]), /nowhere: there is no such file/)
    assertReadable(await runHere(["verify-evidence", folder.path]), /conclave-cli-\w+: it is a folder; give/)
    writeFileSync(folder.file("evidence"), evidence())
    assertReadable(
      await runHere(["inspect", folder.file("evidence")]),
      /evidence against a service; conclave verify-evidence \S+evidence checks it$/m,
    )
  })

  it("is given a file by the event, once, for its owner alone", () => {
    using folder = new Folder()
    const bytes = evidence()
    const event = { type: "contradicted", by: "alice", accused: "service", reason: "", evidence: bytes }
    const profile = folder.file("bob.db")
    const told = [event, event].map((it) => keepEvidence(it as unknown as ClientEvent, profile))
    const files = readdirSync(folder.path).filter((name) => name.startsWith("bob.db.evidence-"))
    assert.equal(files.length, 1)
    const file = folder.file(files[0]!)
    assert.ok(told.every((it) => it?.includes(file)))
    assert.deepEqual(new Uint8Array(readFileSync(file)), bytes)
    if (process.platform !== "win32") assert.equal(statSync(file).mode & 0o777, 0o600)
    assert.equal(keepEvidence({ ...event, evidence: new Uint8Array() } as unknown as ClientEvent, profile), undefined)
  })
})
