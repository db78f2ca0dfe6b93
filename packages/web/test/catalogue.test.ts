import assert from "node:assert/strict"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { describe, it } from "node:test"
import { fileURLToPath } from "node:url"
import { ClientError, personLabel } from "@conclave/client/browser"
import { alertWords } from "../src/profile/alert-words.js"
import { displayNameProblem, nameProblem } from "../src/profile/chosen-name.js"
import { clockTime, dayName, shortTime } from "../src/profile/time.js"
import { failureText, type People, problem } from "../src/profile/words.js"
import * as german from "../src/words/de/all.js"
import { main as english } from "../src/words/en/main.js"
import { parts as englishParts } from "../src/words/en/parts.js"
import { list, loadPartWords, onLanguage, partWords, speak, words } from "../src/words/words.js"

const sources = fileURLToPath(new URL("../../../src/", import.meta.url))
const views = join(sources, "view")

/** Strings of views that nobody reads: names of keys and of types, and the name of the page. */
const notWords = new Set(["ArrowDown", "ArrowUp", "ArrowLeft", "ArrowRight", "Home", "End", "Enter", "Escape", "Files"])
const KEPT_NAMES = new Set(["Conclave"])

/** What stands in a view for a person to read, and is not of the catalogue. */
function literals(source: string): readonly string[] {
  const code = source
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/^\s*\/\/.*$/gm, "")
    .replace(/^import [\s\S]*?from "[^"]+"$/gm, "")
  const found = [
    ...[...code.matchAll(/\b(?:aria-label|aria-description|title|placeholder|label|alt|action|hint)="([^"]+)"/g)],
    // Between tags, on one line or on lines of their own.
    ...[...code.matchAll(/(?<!=)>([^<>{}()=;]*\p{L}{2}[^<>{}()=;]*)<\/[a-zA-Z]/gu)],
    ...[
      ...code.matchAll(
        /^ +(?!readonly |return |else |await |throw )((?:\p{Lu}\p{Ll}+|\p{L}\p{Ll}+ \p{Ll}+)[\p{L} ,.:;’…]*)$/gmu,
      ),
    ],
    // Chosen by a condition, or said aloud.
    ...[...code.matchAll(/[{?:(] ?["`](\p{Lu}\p{Ll}+[^"`]*)["`]/gu)],
    ...[...code.matchAll(/["`]([^"`\n]*\p{Ll} \p{Ll}+ \p{Ll}+[^"`\n]*[.!?…])["`]/gu)],
  ]
  return found.map((it) => it[1]!.trim()).filter((it) => !notWords.has(it) && !KEPT_NAMES.has(it))
}

/** Every string of a catalogue, and what its functions say, by the way to it. */
function said(catalogue: object, way = ""): ReadonlyMap<string, string> {
  const all = new Map<string, string>()
  for (const [key, value] of Object.entries(catalogue)) {
    const here = way === "" ? key : `${way}.${key}`
    // Sentences of their own: see below.
    if (here === "event" || here === "person.nameFault" || here === "person.displayNameFault") continue
    if (typeof value === "string") all.set(here, value)
    else if (typeof value === "function") {
      for (const [at, text] of results(value).entries()) all.set(`${here}()${at}`, text)
    } else for (const [inner, text] of said(value, here)) all.set(inner, text)
  }
  return all
}

function results(words: (...given: unknown[]) => unknown): readonly string[] {
  const about = { who: "", message: "" }
  const given: readonly (readonly unknown[])[] = [
    ["X", "X", "service"],
    [1, "X"],
    [2, "X"],
    ["X", true, "cryptography"],
    ["X", false, "other"],
    [about],
    [
      [1, 1],
      [1, 2],
    ],
    ["service", "X"],
  ]
  return given.flatMap((it) => {
    try {
      const result = words(...it)
      return typeof result === "object" ? Object.values(result as object).map(String) : [String(result)]
    } catch {
      return []
    }
  })
}

/** The form of a catalogue: its keys, and how much each of its functions asks for. */
function form(catalogue: object, way = ""): readonly string[] {
  return Object.entries(catalogue).flatMap(([key, value]) => {
    const here = `${way}.${key}`
    return typeof value === "object" ? form(value, here) : [`${here}: ${typeof value}`]
  })
}

/** What is the same in both languages. */
const EQUAL = ["Conclave", "Details", "Deutsch", "English", "Name", "System"]
/** What functions were given here, and say again. */
const GIVEN = /\[object Object\]|undefined|service|true|false/g

/** Words that German has not. */
const ENGLISH =
  /(?<![\p{L}„])(the|and|you|your|yours|is|are|with|not|this|that|from|have|has|it|they|them|who|whom|of|to|be|been|reads?|sent|message|messages|device|key|invited?|cannot|again|somebody|nobody|mixed)(?![\p{L}])/iu

const everyKind = [
  { type: "joined", members: ["alice", "bob"] },
  { type: "title", from: "bob", title: "Team" },
  ...[
    { added: ["alice", "carol"], removed: ["dave"] },
    { left: ["carol", "dave"], rejoined: ["erin"] },
    { left: ["carol"] },
  ].map((more) => ({ type: "members", by: "bob", added: [], removed: [], left: [], rejoined: [], ...more })),
  { type: "refreshed", by: "bob" },
  { type: "left", by: "alice" },
  { type: "left", by: "bob" },
  { type: "invited", by: "bob", members: ["alice", "bob", "carol"], continues: undefined },
  ...[true, false].map((known) => ({
    ...{ type: "invited", by: "bob", members: ["alice", "bob"] },
    continues: { conversation: { title: "Team" }, added: ["carol"], removed: known ? [] : ["dave", "erin"], known },
  })),
  ...["declined", "limit", "unverified"].map((reason) => ({ type: "declined", name: "bob", reason })),
  { type: "displayName", name: "bob", before: undefined, after: "Bob" },
  { type: "displayName", name: "bob", before: "Bob", after: undefined },
  ...["alice", "bob"].flatMap((name) =>
    [true, false].flatMap((endorsed) =>
      [true, false].map((accepted) => ({
        type: "keyChanged",
        name,
        endorsed,
        accepted,
        signatureKey: new Uint8Array(),
      })),
    ),
  ),
  ...["alice", "bob"].map((name) => ({ type: "deviceRevoked", name, by: "bob", signatureKey: new Uint8Array() })),
  ...["create", "send", "title", "invite", "reinvite", "remove", "refresh", "leave"].flatMap((wish) =>
    ["UNKNOWN_NAME", "REFUSED"].map((code) => ({ type: "failed", wish, code, names: ["bob"], reason: "their reason" })),
  ),
  ...["FALSE_ANSWER", "UNSIGNED", "WITHHELD", "FALSE_HEAD", "CANNOT_KNOCK", "TOO_MANY_INVITATIONS"].flatMap((code) =>
    [1, 2].map((count) => ({ type: "rejected", code, count, reason: "their reason" })),
  ),
  ...["PROPOSALS_DROPPED", "UNREADABLE"].map((code) => ({ type: "rejected", code, count: 1, reason: "their reason" })),
  { type: "halted", names: ["bob"], reason: "their reason" },
  { type: "recovered", by: "bob", reason: "their reason" },
  { type: "recovered", by: "", reason: "their reason" },
  ...[true, false].map((canKnock) => ({ type: "stuck", canKnock, reason: "their reason" })),
  { type: "copied", reason: "their reason" },
  ...["member", "service"].map((accused) => ({
    ...{ type: "contradicted", by: "bob", accused, reason: "their reason", evidence: new Uint8Array() },
  })),
  ...["restored", "replaced"].map((change) => ({ type: "service", change, reason: "their reason" })),
  { type: "stopped", by: "bob", reason: "their reason" },
  ...["lost", "missing", "unavailable", "update"].map((type) => ({ type, reason: "their reason" })),
  { type: "retired", goneAt: new Date(0) },
  { type: "erased", name: "alice" },
  { type: "deferred", wishes: ["invite", "title"], reason: "their reason", retryAt: new Date(0) },
  { type: "deferred", wishes: [], reason: "their reason", retryAt: new Date(0) },
  { type: "throttled", service: "delivery", retryAt: new Date(0) },
] as unknown as readonly Parameters<typeof english.event>[0][]

const people: People = { name: "alice", called: (name) => name, label: (name) => personLabel(name, undefined) }
const reader = (conversation: string | undefined): Parameters<typeof english.event>[1] => ({
  ...{ name: "alice", conversation, peopleMax: 8, content: () => "X", how: () => "", reason: (it) => it },
  ...{ person: (it) => it, personAs: (it) => it, title: (it) => `„${it}“`, time: () => "14:00" },
})

describe("the words of the page", () => {
  it("are in the catalogue, all that views show", () => {
    const found = readdirSync(views)
      .filter((name) => name.endsWith(".tsx"))
      .flatMap((name) => literals(readFileSync(join(views, name), "utf8")).map((it) => `${name}: ${it}`))
    assert.deepEqual(found, [])
  })

  it("would be found anywhere else", () => {
    for (const source of [
      `<button type="button" aria-label="Close" onClick={onClose}>`,
      `<label for={ids.title}>Title</label>`,
      `<p class="hint">\n          Names as they have registered here, separated by commas.\n</p>`,
      `{isMuted ? "Muted" : words().mute}`,
      `profile.say("It is in the list again.")`,
      `          Cancel\n`,
    ])
      assert.equal(new Set(literals(source)).size, 1, source)
    assert.deepEqual(literals(`if (event.key === "Escape") onClose() // Leaves the field\n<b>{words().title}</b>`), [])
  })

  it("of the parts are asked for by parts alone, which wait for them", () => {
    const inScript = new Set([join(sources, "main.tsx")])
    for (const module of inScript) {
      const source = readFileSync(module, "utf8")
      for (const [, from] of source.matchAll(/^(?:import|\}) (?!type )[^;]*?"(\.[^"]+)\.js"$/gm)) {
        const found = [".ts", ".tsx"].map((ending) => join(dirname(module), from + ending)).filter(existsSync)
        for (const it of found) inScript.add(it)
      }
    }
    assert.ok(inScript.size > 80, `${inScript.size} modules`)
    const asking = [...inScript].filter((module) => /\bpartWords\(\)\./.test(readFileSync(module, "utf8")))
    assert.deepEqual(asking, [])
  })

  it("have the same form in German, and nothing of English is left", () => {
    assert.deepEqual(form(german.main).toSorted(), form(english).toSorted())
    assert.deepEqual(form(german.parts).toSorted(), form(englishParts).toSorted())
    const texts = new Map([...said(german.main), ...said(german.parts)])
    const before = new Map([...said(english), ...said(englishParts)])
    assert.ok(texts.size > 400, `${texts.size} are looked at`)
    const equal = [...texts].filter(
      ([way, text]) => before.get(way) === text && /\p{L}{4}/u.test(text.replace(GIVEN, "")),
    )
    assert.deepEqual([...new Set(equal.map(([, text]) => text))].toSorted(), EQUAL)
    const left = [...texts].filter(([, text]) => ENGLISH.test(text.replaceAll("English", "")))
    assert.deepEqual(left, [])
    const marks = [...texts].filter(([, text]) => /["“]\p{L}|—|\.\.\.|\p{L}…/u.test(text))
    assert.deepEqual(marks, [], "„…“, and a space before an ellipsis")
    assert.match("You are invited", ENGLISH)
  })

  it("tell every kind of event in German, without the reasons that are given in English", () => {
    for (const conversation of [undefined, "dieser Unterhaltung"]) {
      for (const event of everyKind) {
        const sentences = german.main.event(event, reader(conversation))
        assert.notEqual(sentences.length, 0, event.type)
        const text = sentences.join(". ")
        assert.doesNotMatch(text, ENGLISH, event.type)
        assert.doesNotMatch(text, /undefined|their reason/, event.type)
        assert.ok(english.event(event, reader("team")).length > 0)
      }
    }
    const kinds = new Set(everyKind.map(({ type }) => type))
    assert.equal(kinds.size, 27, "message and sent have words of their authors")
  })
})

describe("the language", () => {
  it("is changed for everything that is said from then on, and back", async () => {
    let changes = 0
    const stop = onLanguage(() => changes++)
    await loadPartWords()
    assert.equal(partWords().you.title, "You")
    await speak({ language: "de", locale: "de-AT" })
    try {
      assert.equal(words().list.region, "Unterhaltungen")
      assert.equal(partWords().you.title, "Du")
      assert.equal(list(["Anna", "Bob", "Carol"]), "Anna, Bob und Carol")
      const at = new Date(2026, 0, 5, 14, 3)
      assert.equal(clockTime(at), "14:03")
      // Austria's January.
      assert.equal(dayName(at, new Date(2026, 5, 1)), "Montag, 5. Jänner")
      assert.match(shortTime(at, new Date(2026, 5, 1)), /^5\. Jän/)
      assert.match(problem(new TypeError("no such thing")), /^Das hat nicht geklappt/)
      assert.equal(failureText({ code: "left" }), "Nicht gesendet: Du bist nicht mehr dabei.")
      const refused = (message: string) => problem(new ClientError("REFUSED", message))
      assert.equal(refused("there is no room left at the service"), "Beim Dienst ist kein Platz mehr.")
      assert.equal(refused("the moon is full"), "Der Dienst hat das abgelehnt.")
      const marks = [
        "-\u0316a",
        "q\u0316\u0317\u0318\u0319\u031c\u031d\u031e",
        "q\u0316\u0316",
        "a\u0007",
        "a\ud800",
        "!!",
      ]
      for (const name of ["", "a b", "a\u200bb", "x".repeat(300), "ﬁ", "a,b", "ju\u0308rgen", "a\ue000", ...marks]) {
        assert.doesNotMatch(nameProblem(name) ?? "", ENGLISH, name)
        assert.notEqual(nameProblem(name), undefined, name)
      }
      assert.match(
        nameProblem("")!,
        /^Er ist leer\. Ein Name hat 1 bis 128 Buchstaben.* , ; ", ohne Leerzeichen \(höchstens 256 Byte\)\.$/,
      )
      assert.doesNotMatch(displayNameProblem("<b>")!, ENGLISH)
      const event = { type: "unavailable", reason: "the name is suspended" } as const
      const alert = alertWords({ event, severity: "warning", conversation: undefined }, undefined, people)
      assert.doesNotMatch(`${alert.headline} ${alert.text}`, ENGLISH)
      assert.equal(alert.detail, "The name is suspended.", "beside it, and marked as English")
      for (const code of [
        "the operator has suspended this name: Werbung",
        "at: it is in the future",
        "name: it has 20 devices already",
        "name: it has had many devices, and gets one more a day",
        "this client is too old for the service: update it",
      ]) {
        const reason = `the service said ${code}`
        const known = { type: "unavailable", reason } as const
        const said = alertWords({ event: known, severity: "warning", conversation: undefined }, undefined, people)
        assert.equal(said.detail, "", code)
        assert.doesNotMatch(said.text, ENGLISH, code)
        const refused = problem(new ClientError("REFUSED", reason))
        assert.match(refused, /^Der Dienst hat das abgelehnt\. \p{Lu}/u, code)
        assert.doesNotMatch(refused, ENGLISH, code)
        const wish = { type: "failed", wish: "invite", names: ["bob"], code: "REFUSED", reason } as const
        assert.doesNotMatch(german.main.event(wish, reader("X")).join(), /abgelehnt/, code)
      }
    } finally {
      await speak({ language: "en", locale: "en" })
    }
    assert.equal(words().list.region, "Conversations")
    assert.equal(partWords().you.title, "You")
    assert.equal(changes, 2)
    stop()
  })

  it("is the one that was asked for last", async () => {
    await Promise.all([speak({ language: "de", locale: "de" }), speak({ language: "en", locale: "en" })])
    assert.equal(words().list.region, "Conversations")
  })
})
