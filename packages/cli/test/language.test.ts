import assert from "node:assert/strict"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { after, before, describe, it } from "node:test"
import { ENGLISH, inGerman } from "./german.js"
import { conclave, Folder, type Ran, type RunOptions, Service } from "./support.js"

/** A system that is set to German, as a person's is. */
const environment = { LC_ALL: "", LC_MESSAGES: "", LANG: "de_DE.UTF-8" }

const german = (words: readonly string[], options: RunOptions = {}) => conclave(words, { environment, ...options })

/** All that a run has said, without the names in it. */
function said({ output, errors }: Ran, ...names: readonly string[]): string {
  return names.reduce((text, name) => text.replaceAll(name, "X"), inGerman(`${output}${errors}`))
}

describe("a session in German", () => {
  let service: Service
  before(async () => {
    service = await Service.start()
  })
  after(() => service[Symbol.asyncDispose]())

  const ok = async (words: readonly string[], input = "") => {
    const ran = await german([...words, ...service.place], { input })
    assert.equal(ran.code, 0, `${ran.output}${ran.errors}`)
    assert.doesNotMatch(said(ran), ENGLISH, `${ran.output}${ran.errors}`)
    return ran
  }
  const chat = async (name: string, ...lines: readonly string[]) =>
    (await ok(["chat", "--as", name], `${lines.join("\n")}\n`)).output.toString()

  it("registers, creates, invites, sends, receives and compares", async () => {
    const first = await ok(["chat", "--as", "bert"], "/list\n")
    assert.match(first.errors, /^Hinweis: bert ist neu unter http:\S+ und wurde dort registriert$/m)
    assert.match(first.output.toString(), /^Noch gibt es keine Unterhaltung: \/new TITEL NAME… legt eine an\.$/m)

    const created = await chat("anna", "/new Verein bert", "hallo zusammen", "/members", "/name Anna Blume")
    assert.match(created, /^ {2}anna \(du\)\n {2}bert$/m)
    assert.match(created, /^andere sehen dich als Anna Blume \(anna\)$/m)

    const invited = await chat("bert", "/list", "/accept", "guten Tag", "/history", "/tree")
    assert.match(invited, /^Einladungen \(1\):\n.*lädt dich zu einer Unterhaltung ein: \/accept 1 oder \/decline 1$/m)
    assert.match(invited, /anna.*: hallo zusammen$/m)
    assert.match(invited, /hat einen Schlüssel {2}○ leer {2}◆ Schlüssel aus dieser Epoche \(\d+\)$/m)

    assert.match(await chat("anna", "/safety bert"), /^Vergleiche mit bert, am Telefon oder persönlich:$/m)
    const sent = await ok(["send", "--as", "anna", "--to", "Verein"], "aus der Pipe")
    assert.equal(`${sent.output}${sent.errors}`, "")
    const received = await ok(["receive", "--as", "bert", "--lines", "--count", "1"])
    assert.equal(received.output.toString(), "aus der Pipe\n")

    const removed = await chat("anna", "/title Neuer Verein", "/remove bert", "/list")
    assert.match(removed, /Du hast bert entfernt$/m)
    assert.match(await chat("bert", "/list"), /1 {2}Neuer Verein {4}verlassen$/m)
  })

  it("says what is wrong, of each kind", async () => {
    const told = async (words: readonly string[], form: RegExp, input = "") => {
      const ran = await german([...words, ...service.place], { input })
      assert.notEqual(ran.code, 0)
      assert.match(`${ran.output}${ran.errors}`, form)
      assert.doesNotMatch(said(ran), ENGLISH, `${ran.output}${ran.errors}`)
    }
    await told(["send", "--as", "anna"], /^conclave send: --to TITEL fehlt \(conclave send --help\)$/m)
    await told(
      ["send", "--as", "a b", "--to", "x"],
      /--as muss ein Name sein, nicht „a b“: er enthält ein Leerzeichen;/,
    )
    await told(
      ["send", "--as", "anna", "--to", "nie"],
      /anna hat keine Unterhaltung „nie“.*; um sie anzulegen: echo/,
      "x",
    )
    await told(["send", "--as", "anna", "--to", "nie"], /die Eingabe ist leer: Es gibt nichts zu senden/)
    await told(["receive", "--as", "anna", "--timeout", "0.01"], /^nichts ist rechtzeitig angekommen$/m)
    await told(["chat", "--as", "anna"], /^niemand heißt dora$/m, "/new Fest dora\n")
    await told(
      ["chat", "--as", "anna"],
      /^es gibt keinen Befehl \/lits, meinst du \/list\?; \/help zeigt sie$/m,
      "/lits\n",
    )
    await told(["chat", "--as", "anna"], /^so geht es: \/title TITEL$/m, "/title\n")
    await told(["devices", "revoke", "12", "--as", "anna"], /ein Gerät hat 8 oder mehr Zeichen/)
    await told(["devices", "revoke", "00000000", "--as", "anna"], /kein Gerät von anna beginnt mit 00000000/)
    await told(
      ["recovery", "make", "--as", "anna"],
      /das ist nicht, was gezeigt wurde: Nichts wurde geändert$/m,
      "XYZ\n",
    )
  })

  it("shows devices, and how long ago something was", async () => {
    const { output } = await ok(["devices", "list", "--as", "anna"])
    assert.match(
      output.toString(),
      /^[0-9a-f]{16} {2}registriert \d\d\.\d\d\.\d{4}, \d\d:\d\d:\d\d UTC {2}das erste {2}dieses Gerät$/m,
    )
    const status = await german(["admin", "status", "--data", service.folder.path])
    assert.match(status.output.toString(), /^Dienst +läuft als Prozess \d+$/m)
    assert.match(status.output.toString(), /^Namen +2, mit 2 Geräten$/m)
    assert.match(status.output.toString(), /^belegt +\d+,\d KiB|MiB$/m)
    assert.doesNotMatch(said(status), ENGLISH, String(status.output))
  })

  it("changes the language of a chat while it runs", async () => {
    const { output } = await german(["chat", "--as", "anna", ...service.place], {
      input: "/list\n/language en\n/nothing\n/language de\n/nichts\n/language fr\n",
    })
    const text = output.toString()
    assert.match(text, /^I speak English from here on\nthere is no command \/nothing; \/help shows them$/m)
    assert.match(text, /^ab jetzt spreche ich Deutsch\nes gibt keinen Befehl \/nichts; \/help zeigt sie$/m)
    assert.match(text, /^sag, welche: \/language de\|en$/m)
  })

  it("is the same for programs: exit codes, JSON, and the log of a service", async () => {
    const place = ["--data", service.folder.path, "--json"]
    for (const words of [
      ["admin", "names", ...place],
      ["doctor", "--data", service.folder.path, "--json"],
    ]) {
      const keys = (ran: Ran) => ran.output.toString().replace(/\d+(\.\d+)?/g, "0")
      const [one, other] = [await conclave(words), await german(words)]
      assert.equal(keys(other), keys(one))
      assert.equal(other.code, one.code)
    }
    const port = String(service.port)
    const [one, other] = [
      await conclave(["serve", "--port", port, "--data", "/dev/null/x"]),
      await german(["serve", "--port", port, "--data", "/dev/null/x"]),
    ]
    assert.equal(other.code, one.code)
    assert.notEqual(other.errors, one.errors)
  })
})

describe("a service that is started in German", () => {
  it("says where it is in German, and what happens in English", async () => {
    using folder = new Folder()
    let text = ""
    const ran = await german(["serve", "--port", "0", "--host", "0.0.0.0", "--data", folder.path], {
      started: (child) => {
        child.stdout!.on("data", (chunk) => {
          text += chunk
        })
        // The last that it says before a signal comes.
        child.stderr!.on("data", (chunk) => {
          if (String(chunk).includes("andere Rechner")) child.kill("SIGTERM")
        })
      },
    })
    assert.equal(ran.code, 0)
    assert.match(text, /^Conclave ist unter http:\/\/127\.0\.0\.1:\d+\//)
    assert.match(text, /^ {2}Netz +Port \d+ jeder Adresse dieses Rechners$/m)
    assert.doesNotMatch(inGerman(text.replace(/ {2}Terminal.*/, "")), ENGLISH)
    assert.match(ran.errors, /^Hinweis: andere Rechner erreichen diesen Port/)
    assert.match(ran.errors, /^SIGTERM: answering what is under way, then closing$/m)
  })
})

describe("files, in German", () => {
  it("are said to be what they are, and what reads them", async () => {
    using folder = new Folder()
    writeFileSync(folder.file("brief.txt"), "Lieber Leser, das ist ein Brief.\n")
    const told = async (...words: readonly string[]) => {
      const ran = await german(words)
      assert.equal(ran.code, 1)
      assert.doesNotMatch(said(ran, folder.path), ENGLISH, ran.errors)
      return ran.errors
    }
    assert.match(
      await told("trace", folder.file("brief.txt")),
      /weder pcap noch pcapng: das ist wohl Text; gib eine Datei an/,
    )
    assert.match(await told("inspect", folder.file("brief.txt")), /das ist wohl Text; gib eine Nachricht/)
    assert.match(
      await told("verify-evidence", folder.file("brief.txt")),
      /beweist nichts: das ist kein Beweis; das ist wohl Text/,
    )
    assert.match(
      await told("restore", folder.file("brief.txt"), "--data", folder.file("data")),
      /keine Sicherung eines Dienstes; das ist wohl Text/,
    )
    assert.match(
      await told("backup", folder.file("x"), "--data", folder.file("data")),
      /in \S+ ist kein Dienst: \S+ gibt es nicht/,
    )
    assert.match(
      await told("send", "--as", "anna", "--to", "x", "--server", "http://127.0.0.1:1", "--data", folder.path),
      /leer|reserviert|Port 1/,
    )
    assert.deepEqual(readdirSync(folder.path).includes("x"), false)
    assert.equal(readFileSync(join(folder.path, "brief.txt"), "utf8").length, 33)
  })
})

describe("the demonstration, in German", () => {
  it("shows each step", async () => {
    const ran = await german(["demo"])
    assert.equal(ran.code, 0, ran.errors)
    assert.match(ran.output.toString(), /^alice lädt bob und carol ein +1 +[0-9a-f]{12}… +\d+ +\d+,\d +✓$/m)
    assert.match(
      ran.output.toString(),
      /^Alle Mitglieder waren sich bei jedem Schritt einig\. 3 Mitglieder, \d+,\d\d s\.$/m,
    )
    assert.doesNotMatch(said(ran), ENGLISH)
  })
})
