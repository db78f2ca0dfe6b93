import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { DecodeError, decode, encode, opaque, utf8 } from "@conclave/codec"
import { encodePayload, type Payload } from "../src/conversation/payload.js"
import type { Conversation } from "../src/index.js"
import { bodyOf, contentKind, contentKinds, contentSize, contentTable, contentWords } from "../src/kinds/contents.js"
import { eventForms, eventKinds, eventReferences, eventSeverity, eventWords, StoredEvent } from "../src/kinds/events.js"
import { conversation, count, someText, text, time } from "../src/kinds/fields.js"
import { type EventReader, subject } from "../src/kinds/reader.js"
import { eventKind, eventTable } from "../src/kinds/table.js"

const reader: EventReader = {
  name: "alice",
  conversation: "team",
  peopleMax: 3,
  person: (name) => name,
  personAs: (name, displayName) => (displayName === undefined ? name : `${displayName} (${name})`),
  title: (title) => `"${title}"`,
  reason: (reason) => reason,
  time: (at) => at.toISOString().slice(11, 16),
  content: contentWords,
  how: () => "",
}
const team = { id: "0102", title: "team" } as Conversation
const find = (id: Uint8Array) => (id.length === 2 ? team : undefined)
const id = Uint8Array.of(1, 2)

describe("a kind of event", () => {
  const poked = eventKind({
    number: 200,
    fields: { conversation, by: text, at: time, why: someText, count },
    severity: ({ by }, { name }) => (by === name ? "quiet" : "warning"),
    words: ({ by, at, why }, it) => [
      `${subject(by, it)} poked you at ${it.time(at)}`,
      ...(why === undefined ? [] : [why]),
    ],
  })
  const table = eventTable({ ...eventKinds, poked }, { forms: eventForms, references: eventReferences })
  const stored = { type: "poked", conversation: id, by: "bob", at: 60_000n, why: undefined, count: 1 } as const

  it("is one row: its record, what is shown of it, its words and its severity follow", () => {
    const record = encode(table.stored, stored)
    assert.equal(Buffer.from(record).toString("hex"), "c8020102" + "03626f62" + "000000000000ea60" + "00" + "00000001")
    assert.deepEqual(decode(table.stored, record), stored)
    const event = table.show(stored, find)
    assert.ok(event?.type === "poked")
    const expected = { type: "poked", conversation: team, by: "bob", at: new Date(60_000), why: undefined, count: 1 }
    assert.deepEqual(event, expected)
    assert.deepEqual(table.words(event, reader), ["bob poked you at 00:01"])
    assert.equal(table.severity(event, reader), "warning")
    assert.equal(table.severity({ ...event, by: "alice" }, reader), "quiet")
  })

  it("is not shown of a conversation that has been forgotten, and unknown to a table without its row", () => {
    assert.equal(table.show({ ...stored, conversation: Uint8Array.of(1) }, find), undefined)
    assert.throws(() => decode(StoredEvent, encode(table.stored, stored)), DecodeError)
  })

  it("has a number of its own", () => {
    const twice = { ...eventKinds, poked: { ...poked, number: eventKinds.lost.number } }
    assert.throws(() => eventTable(twice, { forms: eventForms, references: eventReferences }), TypeError)
  })

  it("keeps its number for ever", () => {
    const rows = Object.entries({ ...eventForms, ...eventKinds, ...eventReferences })
    const numbered = rows.sort(([, a], [, b]) => a.number - b.number).map(([type, { number }]) => `${number} ${type}`)
    assert.deepEqual(numbered, [
      ...["1 messageWithoutSeq", "2 sentWithoutSeq", "3 joined", "4 title", "5 members", "6 refreshed", "7 left"],
      ...["8 keyChanged", "9 failed", "10 rejected", "11 halted", "12 recovered", "13 lost", "14 missing"],
      ...["15 deferred", "16 invitedWithoutContinues", "17 declined", "18 throttled", "19 update", "20 unavailable"],
      ...["21 message", "22 sent", "23 displayName", "24 keptMessage", "25 stuck", "26 stopped", "27 copied"],
      ...["28 invited", "30 contradicted", "31 service", "32 erased", "33 retired", "34 deviceRevoked"],
      ...["35 recoveryKey", "36 returned"],
    ])
  })
})

describe("the words of an invitation", () => {
  it("name those whom it leads to besides the reader and the one who invites", () => {
    const table = eventTable(eventKinds, { forms: eventForms, references: eventReferences })
    const words = (...members: string[]) => {
      const event = table.show({ type: "invited", conversation: id, by: "bob", members, continues: undefined }, find)
      return table.words(event!, reader)
    }
    assert.deepEqual(words("alice", "bob"), ["bob invites you to a conversation"])
    assert.deepEqual(words("alice", "bob", "carol"), ["bob invites you to a conversation with carol"])
  })

  it("to continue another conversation say which, and what is different there", () => {
    const table = eventTable(eventKinds, { forms: eventForms, references: eventReferences })
    const words = (differences: { added?: string[]; removed?: string[]; known?: boolean }) => {
      const continues = { conversation: id, by: "bob", added: [], removed: [], known: true, ...differences }
      const event = table.show(
        { type: "invited", conversation: id, by: "bob", members: ["alice", "bob"], continues },
        find,
      )
      return [table.severity(event!, reader), ...table.words(event!, reader)]
    }
    const first = 'bob asks you to go on in a new group, instead of "team"'
    assert.deepEqual(words({}), ["notice", first, "Its members are those that this device knew"])
    assert.deepEqual(words({ added: ["eve"], removed: ["carol", "dave"], known: false }), [
      ...["warning", first, "eve is new", "carol and dave are left out"],
      "What bob says of the old members is not what this device knew: ask before you accept",
    ])
  })

  it("are read as an earlier version stored them", () => {
    const table = eventTable(eventKinds, { forms: eventForms, references: eventReferences })
    const stored = decode(StoredEvent, Uint8Array.from(Buffer.from("10" + "020102" + "03626f62" + "0403626f62", "hex")))
    const event = table.show(stored as never, find)
    const expected = { type: "invited", conversation: team, by: "bob", members: ["bob"], continues: undefined }
    assert.deepEqual(event, expected)
  })
})

describe("the fields of an event", () => {
  it("are shown as copies: what an application does to one event changes no other", () => {
    const signatureKey = new Uint8Array(32)
    const stored = { type: "keyChanged", conversation: undefined, name: "bob", signatureKey } as const
    const table = eventTable(eventKinds, { forms: eventForms, references: eventReferences })
    const event = table.show({ ...stored, endorsed: false, accepted: false }, find)
    assert.ok(event?.type === "keyChanged")
    event.signatureKey.fill(1)
    assert.equal(signatureKey[0], 0)
    const names = ["bob"]
    const joined = table.show({ type: "joined", conversation: id, members: names }, find)
    assert.ok(joined?.type === "joined")
    assert.notEqual(joined.members, names)
  })

  it("are not shown where a payload is not a message", () => {
    const table = eventTable(eventKinds, { forms: eventForms, references: eventReferences })
    const show = (body: Payload["body"]) => {
      const payload = encodePayload({ version: 1, messageId: new Uint8Array(16), sentAt: 0n, body })
      const place = { conversation: id, from: "bob", payload }
      return [
        table.show({ type: "message", seq: 7n, ...place }, find),
        table.show({ type: "messageWithoutSeq", ...place }, find),
      ]
    }
    const message = { type: "message", conversation: team, from: "bob", text: "hi" }
    const rest = { messageId: "00".repeat(16), sentAt: new Date(0) }
    assert.deepEqual(show({ type: "text", text: "hi" }), [
      { ...message, ...rest, seq: 7 },
      { ...message, ...rest, seq: undefined },
    ])
    assert.deepEqual(show({ type: "title", title: "team" }), [undefined, undefined])
  })

  it("that are words of a list are no others", () => {
    const known = { type: "declined", conversation: id, name: "bob", reason: "limit" } as const
    const record = encode(StoredEvent, known)
    assert.deepEqual(decode(StoredEvent, record), known)
    record[record.length - 1] = 0x61
    assert.throws(() => decode(StoredEvent, record), DecodeError)
  })

  it("lack a conversation where there never is one", () => {
    const update = { type: "update", conversation: undefined, service: "auth", reason: "" } as const
    const record = encode(StoredEvent, update)
    assert.deepEqual([...record], [19, 0, 4, ...Buffer.from("auth"), 0])
    record[1] = 1
    assert.throws(() => decode(StoredEvent, record), DecodeError)
  })
})

describe("a kind of content", () => {
  const place = contentKind({
    number: 9,
    fields: { latitude: utf8, longitude: utf8 },
    isMessage: true,
    words: ({ latitude, longitude }) => `a place at ${latitude}, ${longitude}`,
  })
  const table = contentTable({ ...contentKinds, place })

  it("is one row: its bytes, what is shown of it and its words follow", () => {
    const body = { type: "place", latitude: "50", longitude: "14" } as const
    const bytes = encode(table.body, body)
    assert.equal(Buffer.from(bytes).toString("hex"), "09" + "023530" + "023134")
    assert.deepEqual(decode(table.body, bytes), body)
    const content = table.contentOf(body)
    assert.deepEqual(content, { latitude: "50", longitude: "14" })
    assert.equal(table.words(content!), "a place at 50, 14")
    assert.equal(table.words({ text: "hello" }), "hello")
    assert.equal(table.words({ bytes: new Uint8Array(3) }), "3 bytes that are not text")
    assert.deepEqual(table.json(content!), { latitude: "50", longitude: "14" })
    assert.deepEqual(table.json({ text: "hello" }), { text: "hello" })
    assert.deepEqual(table.json({ bytes: Uint8Array.of(255, 0) }), { base64: "/wA=" })
  })

  it("is sent by its fields, all of them and no others", () => {
    const body = table.bodyOf({ longitude: "14", latitude: "50" })
    assert.deepEqual(body, { type: "place", latitude: "50", longitude: "14" })
    for (const wrong of [{ latitude: "50" }, { latitude: "50", longitude: "14", text: "x" }, { title: "x" }, {}]) {
      assert.throws(() => table.bodyOf(wrong as any), TypeError)
    }
    const bytes = Uint8Array.of(1)
    const copied = bodyOf(bytes)
    bytes[0] = 2
    assert.deepEqual(
      [copied, bodyOf("hi"), bodyOf({ text: "hi" })],
      [
        { type: "bytes", bytes: Uint8Array.of(1) },
        { type: "text", text: "hi" },
        { type: "text", text: "hi" },
      ],
    )
    assert.deepEqual([contentSize(copied), contentSize(bodyOf("é"))], [1, 2])
  })

  it("is told apart from a kind that has some of its fields", () => {
    const note = contentKind({
      number: 10,
      fields: { text: utf8, stamp: opaque },
      isMessage: true,
      words: ({ text }) => `note: ${text}`,
    })
    const withNote = contentTable({ ...contentKinds, note })
    const content = { text: "hello", stamp: Uint8Array.of(255) }
    assert.equal(withNote.words(content), "note: hello")
    assert.equal(withNote.words({ text: "hello" }), "hello")
    assert.deepEqual(withNote.json(content), { text: "hello", stamp: "/w==" })
  })

  it("is not a message where its row says so", () => {
    assert.equal(table.contentOf({ type: "title", title: "team" }), undefined)
  })
})

describe("the words of an event", () => {
  it("are said to the reader, who comes first in a list, and count the people beyond the first", () => {
    const members = { type: "members", by: "bob", added: [], removed: [], left: [], rejoined: [] } as const
    const said = (more: object) => eventWords({ ...members, ...more }, reader)
    assert.deepEqual(said({ added: ["carol", "alice"] }), ["bob added you and carol"])
    assert.deepEqual(said({ by: "alice", removed: ["dave"], left: ["bob", "alice"] }), [
      "You removed dave",
      "You and bob left",
    ])
    assert.deepEqual(said({ by: "", added: ["b", "c", "d", "e"] }), ["Somebody added b, c, d and e"])
    assert.deepEqual(said({ added: ["b", "c", "d", "e", "f"] }), ["bob added b, c, d and 2 others"])
    assert.deepEqual(said({}), [])
  })

  it("say how much attention it needs", () => {
    const left = (by: string) => eventSeverity({ type: "left", by }, reader)
    assert.deepEqual([left("alice"), left("bob")], ["notice", "warning"])
    const rejected = (code: string) => eventSeverity({ type: "rejected", code, reason: "", count: 1 }, reader)
    assert.deepEqual([rejected("UNREADABLE"), rejected("FALSE_ANSWER")], ["notice", "alarm"])
  })
})
