import assert from "node:assert/strict"
import { test } from "node:test"
import { decode, print } from "@conclave/codec"
import type { Group } from "@conclave/mls"
import { groupRecordType, groupRecordTypes, inspection } from "@conclave/mls/inspect"
import { EpochRecord, PastRecord, PendingRecord, SignerRecord, UpdateRecord } from "../src/group/records.js"
import { add, create, follow, keyPackageOf, now, person, provider, utf8 } from "./group-fixture.js"
import { hex } from "./vectors/vector.js"

/** A group with records of every kind: past and skipped messages, proposals, a signature key rotated, a commit of its own. */
function busyGroup(): Group {
  const [alice, bob] = [person("alice"), person("bob")]
  const group = create(alice)
  const [other] = add(group, [bob]) as [Group]
  const rotated = group.commit({ signer: person("alice").signer })
  follow(group, rotated.message)
  follow(other, rotated.message)
  other.encrypt(utf8("skipped"))
  group.receive(other.encrypt(utf8("read")))
  group.receive(other.propose({ type: "update" }).message)
  group.propose({ type: "update" })
  group.commit({ add: [keyPackageOf(person("carol")).keyPackage] })
  return group
}

const records = [...busyGroup().records()]
const kindOf = (key: string) => key.split("/")[0]!

test("every record of a group has a type, and its codec takes it; of the others all is secret", () => {
  const kinds = ["group", "epoch", "signer", "tree", "key", "e", "past", "proposal", "update", "resumption", "pending"]
  assert.deepEqual([...new Set(records.map(([key]) => kindOf(key)))].sort(), kinds.sort())
  for (const [key, record] of records) {
    const found = groupRecordType(key)
    assert(found, key)
    if (found.type !== undefined) decode(groupRecordTypes[found.type]!, record)
  }
  const bare = records.filter(([key]) => groupRecordType(key)?.type === undefined).map(([key]) => kindOf(key))
  assert.deepEqual([...new Set(bare)].sort(), ["e", "key", "resumption"])
  for (const key of ["", "toString", "trees/3", "secret"]) assert.equal(groupRecordType(key), undefined, key)
})

test("no secret of a record of a group is printed, in full neither", () => {
  const secrets: Uint8Array[] = []
  for (const [key, record] of records) {
    if (key === "epoch") {
      const { context, confirmationTag, interimTranscriptHash, leafCount, ...rest } = decode(EpochRecord, record)
      secrets.push(...Object.values(rest))
    } else if (key === "signer") secrets.push(decode(SignerRecord, record).privateKey)
    else if (kindOf(key) === "past") secrets.push(decode(PastRecord, record).senderData)
    else if (kindOf(key) === "update") secrets.push(decode(UpdateRecord, record).privateKey)
    else if (key === "pending") {
      const { ownPath } = decode(PendingRecord, record)
      assert(ownPath)
      secrets.push(ownPath.firstPathSecret, ownPath.leafPrivateKey)
    }
  }
  // A consumed init secret is empty.
  const hidden = secrets.filter(({ length }) => length > 0).map(hex)
  assert(hidden.length >= 12, `${hidden.length}`)
  for (const [key, record] of records) {
    const type = groupRecordType(key)?.type
    if (type === undefined) continue
    const value = decode(groupRecordTypes[type]!, record)
    const options = { ...inspection(type, value, { provider, now }), full: true, width: 10_000 }
    const printed = [...print(groupRecordTypes[type]!, value, options)].join("").replace(/\s/g, "")
    assert.deepEqual(
      hidden.filter((secret) => printed.includes(secret)),
      [],
      key,
    )
  }
})
