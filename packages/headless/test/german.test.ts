import assert from "node:assert/strict"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, it } from "node:test"
import { fileURLToPath } from "node:url"
import { judgeDisplayName, judgeName } from "@conclave/client"
import { displayNameFault, nameFault, reason, refusalSentences } from "@conclave/headless/german"

/** The modules of a package. */
function modulesOf(name: string): readonly string[] {
  const folder = fileURLToPath(new URL(`../../../${name}/src/`, import.meta.url))
  const files = (readdirSync(folder, { recursive: true }) as string[]).filter((file) => file.endsWith(".ts"))
  return files.map((file) => readFileSync(join(folder, file), "utf8"))
}

/** Of a browser alone: a command line does not meet it, and the page has a view for it. */
const OF_BROWSERS = /\b(?:tab|browser|page)\b/

/** Nobody meets it who talks to a service by the SDK: what is asked would be malformed. */
const MALFORMED =
  /^(?:accessKey|at|hash|id|idempotencyId|lifetimeSeconds|signatureKey|size and lifetimeSeconds|the request must)\b/

describe("reasons in German", () => {
  it("are known, each sentence that the client fails with", () => {
    const thrown = modulesOf("client").flatMap((source) =>
      [...source.matchAll(/new ClientError\(\s*"[A-Z_]+",\s*"([^"]+)"/g)].map((it) => it[1]!),
    )
    assert.ok(thrown.length > 20, `${thrown.length} sentences`)
    assert.deepEqual(
      thrown.filter((text) => reason(text) === undefined && !OF_BROWSERS.test(text)),
      [],
    )
  })

  it("are known, each sentence that a service refuses with", () => {
    const refused = ["auth", "delivery"].flatMap((name) =>
      modulesOf(name).flatMap((source) =>
        [...source.matchAll(/\b(?:invalid|forbidden|denied|refused|reason:)[( ]\s*"([a-z][^"]* [^"]*)"/g)].map(
          (it) => it[1]!,
        ),
      ),
    )
    assert.ok(refused.length > 5, `${refused.length} sentences`)
    assert.deepEqual(
      refused.filter((text) => reason(text) === undefined && !MALFORMED.test(text)),
      [],
    )
  })

  it("have a reason of their own inside, which is quoted where it is not known", () => {
    assert.equal(reason("nobody is called dave"), "niemand heißt dave")
    assert.equal(reason("nobody is called a, b or c"), "niemand heißt a, b oder c")
    assert.equal(
      reason("nobody is called a, b, or any of 3 other names"),
      "niemand heißt a, b, und auch 3 weitere Namen gibt es nicht",
    )
    assert.match(reason("a, b cannot be added at present") ?? "", /^nicht hinzuzufügen, .*: a, b$/)
    assert.equal(
      reason("the service refused it: forbidden: the pass is not good"),
      "der Dienst hat es abgelehnt: Der Ausweis gilt nicht",
    )
    assert.equal(reason("the service refused it: the moon is full"), "der Dienst hat es abgelehnt: „the moon is full“")
    assert.equal(reason("the moon is full"), undefined)
  })
})

describe("refusals that have a code, in German", () => {
  const refused = [
    "the operator has suspended this name: spam",
    "at: it is in the future",
    "name: it has 64 devices already",
    "name: it has had many devices, and gets one more a day",
    "this client is too old for the service: update it",
  ]

  it("are the same words after a colon and as a sentence", () => {
    for (const text of refused) {
      const [sentence] = refusalSentences(text)
      assert.ok(sentence !== undefined, text)
      assert.equal(reason(text), sentence.charAt(0).toLowerCase() + sentence.slice(1))
      const told = reason(`the directory refused the name: forbidden: ${text}`)
      assert.equal(told, `das Verzeichnis lehnt den Namen ab: ${sentence}`)
    }
    assert.equal(new Set(refused.map(reason)).size, refused.length)
  })
})

describe("faults of names in German", () => {
  it("name the character, and the rule", () => {
    const hidden = judgeName("a\u200Bb")!
    assert.match(nameFault(hidden), /^er enthält U\+200B, ein unsichtbares Zeichen; ein Name hat 1 bis 128/)
    const { why } = judgeDisplayName("")
    assert.match(displayNameFault(why!), /^er ist leer; ein Anzeigename hat 1 bis 64/)
  })
})
