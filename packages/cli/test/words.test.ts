import assert from "node:assert/strict"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, it } from "node:test"
import { fileURLToPath } from "node:url"
import { slashCommands } from "../src/chat/slash-commands.js"
import { commandNames, loadCommand } from "../src/commands.js"
import { explain } from "../src/failure.js"
import { commandHelp, generalHelp } from "../src/help.js"
import { INPUT_SIZE_MAX, MESSAGE_SIZE_MAX } from "../src/sending/split.js"
import { widthOf } from "../src/terminal/width.js"
import { help as germanHelp } from "../src/words/de/help.js"
import { main as german } from "../src/words/de/main.js"
import { stored } from "../src/words/de/stored.js"
import { help as englishHelp } from "../src/words/en/help.js"
import { main as english } from "../src/words/en/main.js"
import { commandWords, helpWords, isLanguage, optionWords, speak, spokenIn, words } from "../src/words/words.js"
import { ENGLISH, inGerman } from "./german.js"
import { runHere } from "./support.js"

const sources = fileURLToPath(new URL("../../src/", import.meta.url))

/** Every string of a catalogue, and what its functions say, by the way to it. */
function said(catalogue: object, way = ""): ReadonlyMap<string, string> {
  const all = new Map<string, string>()
  for (const [key, value] of Object.entries(catalogue)) {
    const here = way === "" ? key : `${way}.${key}`
    // Sentences of the SDK and of stores: see below.
    if (OF_OTHERS.has(here)) continue
    if (typeof value === "string") all.set(here, value)
    else if (typeof value === "function") {
      for (const [at, text] of results(value)) all.set(`${here}()${at}`, text)
    } else for (const [inner, text] of said(value, here)) all.set(inner, text)
  }
  return all
}

/** They turn what others say in English into German, or are given it. */
const OF_OTHERS = new Set([
  ...["messages.event", "causes.told", "values.nameFault", "values.displayNameFault", "values.origin"],
  ...["machine.fallback", "machine.obstacle", "service.obstacle", "recovery.notAKey"],
  ...["looking.captureFault", "looking.evidenceFault", "admin.did", "admin.notAnnounced"],
])

const GIVEN = ["«1»", "«2»", "«3»", "«4»"] as const

/** What chooses between words, and may be said again as it was given. */
const isChoice = (given: unknown): given is string => typeof given === "string" && /^[a-z]+$/i.test(given)

/** What a function says of things that are found again in what it says. */
function results(words: (...given: unknown[]) => unknown): readonly (readonly [string, string])[] {
  const about = { group: 1, entry: 2, registration: 3, keyPackage: 4, inboxEntry: 5 }
  const given: readonly (readonly unknown[])[] = [
    GIVEN,
    [1, 1, 1, 1],
    [2, 2, 2, 2],
    [GIVEN[0], undefined, undefined],
    [GIVEN[0], 0, 0, 0],
    [GIVEN[0], { pid: 7, command: "x" }],
    [true, 1, true],
    [false, 1, false],
    ["client", true],
    ["server", false],
    [1, "day"],
    [2, "hour"],
    [about],
    ["file"],
    ["folder"],
    ["fileOrFolder"],
    ["host"],
    ["id"],
    ["text"],
    ["type"],
  ]
  return given.flatMap((it, number) => {
    try {
      const texts = [words(...it)].flat().map(String)
      return texts.map((text, at) => [
        `${number}.${at}`,
        it.filter(isChoice).reduce((left, one) => left.replaceAll(one, ""), text),
      ])
    } catch {
      return []
    }
  })
}

/** The form of a catalogue: its keys, and how many paragraphs and cells are in its lists. */
function form(catalogue: object, way = ""): readonly string[] {
  return Object.entries(catalogue).flatMap(([key, value]) => {
    const here = `${way}.${key}`
    return typeof value === "object" ? form(value, here) : [`${here}: ${typeof value}`]
  })
}

/** What is the same in both languages: names, and what is typed. */
const EQUAL: readonly string[] = [
  ...["offline", "Node", "Fast Open", "  Terminal", "  Commits", "NAME", "TEXT|-", "NAME…", "[NAME]", "de|en", "IDS"],
  "[without NAME…]",
  "bash, in ~/.bashrc: source <(conclave completions bash)",
  "fish: conclave completions fish > ~/.config/fish/completions/conclave.fish",
]
/** Rows whose words come from elsewhere, or that have none. */
const WITHOUT_WORDS = new Set([
  "demo.fault",
  "chat.conversationNeeds",
  "admin.operand",
  "looking.ofRfc",
  "units.time",
  "looking.timelineTitle",
])

const paths = (way: string) => way.replace(/\(\).*$/, "")

describe("the catalogue of the command line", () => {
  const texts = new Map([...said(german), ...said(germanHelp, "help")])
  const before = new Map([...said(english), ...said(englishHelp, "help")])

  it("has the same form in German", () => {
    assert.deepEqual(form(german).toSorted(), form(english).toSorted())
    assert.deepEqual(form(germanHelp).toSorted(), form(englishHelp).toSorted())
    assert.ok(texts.size > 700, `${texts.size} are looked at`)
  })

  it("says nothing in German as in English", () => {
    const equal = [...texts].filter(([way, text]) => {
      const plain = text.replace(/«\d»|undefined|true|false|\[object Object\]|--[\w-]+|\/\w+|[A-Z]{2,}/g, "")
      return before.get(way) === text && /\p{L}{3}/u.test(plain) && !WITHOUT_WORDS.has(paths(way))
    })
    assert.deepEqual(
      equal.filter(([, text]) => !EQUAL.includes(text)),
      [],
    )
  })

  it("has no English sentence in German", () => {
    const left = [...texts].filter(([way, text]) => !WITHOUT_WORDS.has(paths(way)) && ENGLISH.test(inGerman(text)))
    assert.deepEqual(left, [])
    assert.match("the service does not answer", ENGLISH)
    assert.match(inGerman("is conclave running"), ENGLISH)
  })

  it("puts into a German row what is put into the English one", () => {
    const given = (text: string | undefined) => [...new Set(text?.match(/«\d»/g))].toSorted()
    const different = [...before].filter(
      ([way, text]) =>
        texts.has(way) && given(text).join() !== given(texts.get(way)).join() && !LEFT_OUT.has(paths(way)),
    )
    assert.deepEqual(different, [])
    for (const [way, text] of texts) {
      const other = before.get(way)
      const options = (it: string | undefined) => [...new Set(it?.match(/(?<![\w-])--[a-z][\w-]*/g))].toSorted().join()
      if (way !== "help.frame.after.2") assert.equal(options(text), options(other), way)
    }
  })

  it("writes German as the page does", () => {
    const marks = [...texts].filter(([, text]) =>
      /["“]\p{Lu}?\p{Ll}+ \p{Ll}|—|\.\.\.|\p{L}…(?!\])|[^ \p{P}] {1,2}…/u.test(
        text.replace(/echo "[^"]*"|\p{Lu}{2,}…|,…/gu, ""),
      ),
    )
    assert.deepEqual(
      marks.filter(([, text]) => !/"unser Team"/.test(text)),
      [],
    )
    const formal = [...texts].filter(([, text]) => /\b(Ihre?[nmrs]?|Ihnen)\b(?! [A-Z]{2})|(?<=[a-zß] )Sie\b/.test(text))
    assert.deepEqual(formal, [], "people are addressed with du")
  })

  it("names sizes and counts that the program has", () => {
    const [text] = englishHelp.people.send.description
    assert.ok(text!.includes(`${MESSAGE_SIZE_MAX / 1024} KiB`) && text!.includes(`${INPUT_SIZE_MAX / 1024 ** 2} MiB`))
    assert.ok(englishHelp.people.receive.description[2]!.includes(`${MESSAGE_SIZE_MAX / 1024} KiB`))
  })

  it("has words for every command of the chat, and a command for all words", () => {
    assert.deepEqual(Object.keys(english.typed.commands).toSorted(), Object.keys(slashCommands).toSorted())
  })
})

/** German says it without. */
const LEFT_OUT = new Set(["messages.notText", "values.addressWithQuery", "machine.fastOpen", "units.ago"])

describe("the help", () => {
  async function helps(): Promise<ReadonlyMap<string, string>> {
    const all = new Map([["", await generalHelp()]])
    for (const name of commandNames) {
      const command = await loadCommand(name)
      all.set(name, await commandHelp(name, command))
      for (const [part, it] of Object.entries(command.parts ?? {})) {
        all.set(`${name} ${part}`, await commandHelp(`${name} ${part}`, it))
      }
    }
    return all
  }

  it("of each command is in German, without English, in lines of at most 80 columns", async () => {
    await speak({ language: "de", locale: "de" })
    try {
      const all = await helps()
      assert.ok(all.size > 30)
      for (const [name, text] of all) {
        assert.doesNotMatch(inGerman(text), ENGLISH, name)
        assert.doesNotMatch(text, /undefined/)
        for (const line of text.split("\n")) assert.ok(widthOf(line) <= 80, `${name}: ${line}`)
        assert.match(text, /^Aufruf: conclave/m, name)
      }
    } finally {
      await speak({ language: "en", locale: "en" })
    }
    for (const [name, text] of await helps()) {
      for (const line of text.split("\n")) assert.ok(widthOf(line) <= 80, `${name}: ${line}`)
      assert.match(text, /^usage: conclave/m)
    }
  })

  it("has words of its own for what commands declare, and none for anything else", async () => {
    const help = await helpWords("en")
    const named = new Set<string>()
    for (const name of commandNames) {
      const command = await loadCommand(name)
      const parts = Object.entries(command.parts ?? {}).map(([part, it]) => [`${name} ${part}`, it] as const)
      for (const [path, { options, operand }] of [[name, command] as const, ...parts]) {
        named.add(path)
        const row = commandWords(help, path)
        assert.equal(row.operand !== undefined, operand !== undefined, path)
        for (const option of Object.keys(options)) assert.notEqual(optionWords(help, row, option), "")
        const unknown = Object.keys(row.options ?? {}).filter((option) => !Object.hasOwn(options, option))
        assert.deepEqual(unknown, [], path)
      }
    }
    const rows = Object.keys({ ...help.people, ...help.service, ...help.machine })
    assert.deepEqual(rows.toSorted(), [...named].toSorted())
  })
})

/** Sentences in a module, which are not of the catalogue. */
function sentences(source: string): readonly string[] {
  const code = source
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/^\s*\/\/.*$/gm, "")
    .replace(/^import [\s\S]*?from "[^"]+"$/gm, "")
    .replace(/(?:RegExp|TypeError)\((?:"[^"]*"|`[^`]*`)/g, "")
    .replace(/\/(?:[^/\n\\]|\\.)+\/[a-z]*(?=[.\s,)]|$)/gm, "")
  const found = code.matchAll(/"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`/g)
  return [...found]
    .map(([, plain, template]) => plain ?? template!.replace(/\$\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}/g, "X"))
    .filter((text) => /(?<![\p{L}-])\p{Ll}{2,}[,;:]? \p{Ll}{2,}[,;:]? \p{Ll}{2,}(?![\p{L}-])/u.test(text))
}

describe("sentences", () => {
  /** Shells read it; the log of a service; what `inspect` prints beside the syntax of RFC 9420. */
  const kept = ["completions.ts", "refusal-log.ts"]
  const LOGGED = [
    "the strike register",
    "the keys for sealed requests cannot be looked at",
    "handing clients over",
    "answering what is under way",
    "no hints by",
    "a proxy seems to stand in front",
    "records of a kind that is not known",
    "of a kind that is not known",
    // Compared with what others say, or said to those who build.
    "the file is no backup of a service",
    "this is no evidence",
    "the service offers no sealed requests",
    "is in use by",
    "npm install sodium-native",
    "npm run build",
  ]

  it("stand in the catalogue, and nowhere else", () => {
    const files = (readdirSync(sources, { recursive: true }) as string[]).filter(
      (name) => name.endsWith(".ts") && !name.startsWith("words/") && !kept.includes(name),
    )
    assert.ok(files.length > 60, `${files.length} modules`)
    const found = files.flatMap((name) => {
      const source = readFileSync(join(sources, name), "utf8")
      return sentences(source)
        .filter((text) => !LOGGED.some((it) => text.includes(it)))
        .map((it) => `${name}: ${it}`)
    })
    assert.deepEqual(found, [])
  })

  it("would be found anywhere else", () => {
    assert.equal(sentences('throw new Failure("nobody is called that")').length, 1)
    assert.equal(sentences("tell(`$" + "{name} is not in this conversation`)").length, 1)
    assert.deepEqual(sentences('command("admin", { file: "service.db" }) // here it is said'), [])
  })
})

describe("the language", () => {
  const spoken = (environment: NodeJS.ProcessEnv) => {
    const { language, locale } = spokenIn(environment)
    return `${language} ${locale}`
  }

  it("is that of the first variable that is not empty, and English otherwise", () => {
    assert.equal(spoken({}), "en en")
    assert.equal(spoken({ LANG: "de_DE.UTF-8" }), "de de-DE")
    assert.equal(spoken({ LANG: "de" }), "de de")
    assert.equal(spoken({ LANG: "de_AT@euro" }), "de de-AT")
    assert.equal(spoken({ LANG: "C" }), "en en")
    assert.equal(spoken({ LANG: "C.UTF-8" }), "en en")
    assert.equal(spoken({ LANG: "POSIX" }), "en en")
    assert.equal(spoken({ LANG: "fr_FR.UTF-8" }), "en en")
    assert.equal(spoken({ LANG: "default" }), "en en")
    assert.equal(spoken({ LC_MESSAGES: "de_CH.UTF-8", LANG: "en_US.UTF-8" }), "de de-CH")
    assert.equal(spoken({ LC_ALL: "C", LC_MESSAGES: "de_DE", LANG: "de_DE" }), "en en")
    assert.equal(spoken({ LC_ALL: "", LC_MESSAGES: "", LANG: "de_DE" }), "de de-DE")
    assert.equal(isLanguage("toString"), false)
  })

  it("is what --language says, wherever it stands, for everything that follows", async () => {
    for (const line of [
      ["--language", "de", "sned"],
      ["sned", "--language=de"],
    ]) {
      const { errors, code } = await runHere(line)
      assert.equal(errors, "conclave: es gibt keinen Befehl sned; meinst du send? (conclave --help)\n")
      assert.equal(code, 2)
    }
    const { errors } = await runHere(["sned"])
    assert.equal(errors, "conclave: there is no command sned; did you mean send? (conclave --help)\n")
    const help = await runHere(["send", "--help", "--language", "de"])
    assert.match(help.output.toString(), /^conclave send: die Eingabe in eine Unterhaltung senden\n/)
    const version = await runHere(["--version", "--language", "de"])
    assert.match(version.output.toString(), /^\d+\.\d+\.\d+\nVerschlüsselung: /)
    assert.equal(words(), german)
    await runHere(["--version"])
    assert.equal(words(), english)
  })

  it("is refused where there is none of it, and not taken out of what follows --", async () => {
    const told = async (...line: readonly string[]) => (await runHere(line)).errors
    assert.equal(await told("--language", "fr"), 'conclave: --language must be de|en, not "fr" (conclave --help)\n')
    assert.equal(await told("--language"), "conclave: --language needs a value: --language de|en (conclave --help)\n")
    assert.match(await told("--language", "--version"), /needs a value/)
    assert.match(await told("--language=de", "--language=en"), /is given twice/)
    assert.match(await told("trace", "a", "--", "--language=de"), /"--language=de" is one argument too many/)
  })

  it("says times, sizes and numbers as its readers write them, and English as before", async () => {
    const at = Date.UTC(2026, 0, 5, 14, 3, 7)
    assert.equal(english.units.time(at), "2026-01-05 14:03:07 UTC")
    assert.equal(english.units.number(1234.56, 1), "1234.6")
    await speak({ language: "de", locale: "de-AT" })
    try {
      assert.equal(words().units.number(1234.56, 1).replace(/\s/, "."), "1.234,6")
      await speak({ language: "de", locale: "de" })
      assert.equal(words().units.time(at), "05.01.2026, 14:03:07 UTC")
      assert.equal(words().units.ago(1, "day"), "vor 1 Tag")
      assert.equal(words().units.ago(2, "day"), "vor 2 Tagen")
    } finally {
      await speak({ language: "en", locale: "en" })
    }
  })
})

describe("what others say", () => {
  it("is said in German where it is known, and quoted where not", async () => {
    await speak({ language: "de", locale: "de" })
    try {
      const store = (message: string) => explain(Object.assign(new Error(message), { name: "StoreUnavailable" })).reason
      assert.equal(store("the backup is damaged"), "die Sicherung ist beschädigt")
      assert.equal(store("it rains"), "„it rains“")
      const client = (code: string, message: string) =>
        explain(Object.assign(new Error(message), { name: "ClientError", code })).reason
      assert.equal(client("UNKNOWN_NAME", "nobody is called dave"), "niemand heißt dave")
      assert.equal(
        client("REFUSED", "the service refused it: forbidden: the pass is not good"),
        "der Dienst hat es abgelehnt: Der Ausweis gilt nicht",
      )
      assert.equal(client("REFUSED", "the moon is full"), "der Dienst hat es abgelehnt („the moon is full“)")
      assert.equal(explain(Object.assign(new Error("x"), { code: "ENOSPC" })).reason, "die Festplatte ist voll")
      assert.equal(explain(Object.assign(new Error("x"), { code: "ENOSPC" }), english).reason, "the disk is full")
    } finally {
      await speak({ language: "en", locale: "en" })
    }
  })

  it("of stores is known, each sentence that their modules throw", () => {
    const unknown = ["sqlite", "postgres"].flatMap((name) => {
      const folder = fileURLToPath(new URL(`../../../${name}/src/`, import.meta.url))
      const files = (readdirSync(folder, { recursive: true }) as string[]).filter((it) => it.endsWith(".ts"))
      return files
        .flatMap((file) => thrown(readFileSync(join(folder, file), "utf8")))
        .filter((it) => stored(it) === undefined)
    })
    assert.deepEqual(unknown, [])
  })
})

/** The messages of `StoreUnavailable` that are one literal. */
function thrown(source: string): readonly string[] {
  return [...source.matchAll(/new StoreUnavailable\(\s*"([^"]+)"\s*[,)]/g)].map((it) => it[1]!)
}
