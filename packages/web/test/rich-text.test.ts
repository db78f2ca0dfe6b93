import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { type Link, withLinks } from "../src/profile/links.js"
import { linkWarningWords } from "../src/profile/message-words.js"
import { beginningOf, type Inline, isEmojiAlone, isVisible, linksIn, richText } from "../src/profile/rich-text.js"

/** Of a text with one link in it: what is read, and where it leads. */
function linkIn(text: string): Link {
  const links = withLinks(text).filter((part) => typeof part !== "string")
  assert.equal(links.length, 1, `${links.length} links in ${text}`)
  return links[0]!
}

const shown = ({ before, host, after }: Link) => before + host + after
const hasLink = (text: string) => withLinks(text).some((part) => typeof part !== "string")

describe("a link", () => {
  it("is shown as it leads, and keeps the punctuation of the sentence out", () => {
    const cases: readonly (readonly [text: string, shows: string, leads?: string])[] = [
      ["see https://example.org/a.", "https://example.org/a"],
      ["(https://example.org/a_(b))", "https://example.org/a_(b)"],
      ["“https://example.org”", "https://example.org", "https://example.org/"],
      ["https://example.org/?q=1&r=a,b!", "https://example.org/?q=1&r=a,b"],
      ["HTTPS://EXAMPLE.org:443/Path", "https://example.org/Path"],
      ["https://de.example.org/wiki/Köln", "https://de.example.org/wiki/Köln", "https://de.example.org/wiki/K%C3%B6ln"],
      ["http://[::1]:8080/", "http://[::1]:8080/"],
      ["mailto:ann@example.org?body=send%20money&bcc=eve@evil.test", "mailto:ann@example.org"],
    ]
    for (const [text, shows, leads = shows] of cases) {
      const link = linkIn(text)
      assert.deepEqual([shown(link), link.href, link.warning], [shows, leads, undefined], text)
    }
  })

  it("says its protocol, which is one of three", () => {
    for (const text of [
      ...["bank.com", "www.bank.com", "bank.com/login", "//bank.com", "ftp://bank.com", "file:///etc/passwd"],
      ...["javascript:alert(1)", "data:text/html,x", "xhttps://bank.com", "https://", "http://[", "mailto:nobody"],
      ...["blob:https://bank.com/x", "https:bank.com", "[bank.com](//evil.com)", "vbscript:https", "mailto:a@b"],
    ]) {
      const links = withLinks(text).flatMap((part) => (typeof part === "string" ? [] : [part.href]))
      // The address inside `blob:` is one itself, and is shown as it is.
      assert.deepEqual(links, text.startsWith("blob:") ? ["https://bank.com/x"] : [], text)
    }
  })

  it("does not lead elsewhere under another name: a text beside an address is a text", () => {
    const parts = withLinks("[https://bank.com](https://evil.com)")
    const links = parts.flatMap((part) => (typeof part === "string" ? [] : [[shown(part), part.href]]))
    for (const [shows, leads] of links) assert.equal(new URL(shows!).host, new URL(leads!).host)
    assert.ok(links.length >= 1)
  })

  it("shows its host, whatever stands before an @, and does not lead to it with a user name", () => {
    for (const text of [
      "https://bank.com@evil.com/",
      "https://bank.com:pass@evil.com/",
      "https://bank.com%2F@evil.com/",
      "https://@evil.com/",
      "https://bank.com@user@evil.com/",
    ]) {
      const link = linkIn(text)
      assert.deepEqual([shown(link), link.href], ["https://evil.com/", "https://evil.com/"], text)
      assert.equal(linkWarningWords(link.warning!, link.host), "leads to evil.com")
    }
    // To browsers a backslash ends the host: so it does here.
    assert.equal(linkIn("https://bank.com\\@evil.com/").host, "bank.com")
    assert.equal(linkIn("https://bank.com.evil.com/").host, "bank.com.evil.com")
    assert.equal(linkIn("https://evil.com/https://bank.com").host, "evil.com")
  })

  it("shows letters that look like others as they are asked for", () => {
    const cases: readonly (readonly [text: string, host: string, warning: RegExp | undefined])[] = [
      ["https://b\u0430nk.com/", "xn--bnk-6cd.com", /b\u0430nk\.com/],
      ["https://\u0430\u0440\u0440\u04cf\u0435.com/", "xn--80ak6aa92e.com", /not all plain letters/],
      ["https://xn--80ak6aa92e.com/", "xn--80ak6aa92e.com", /letters of other alphabets/],
      ["https://b\u00e4nk.com/", "xn--bnk-qla.com", /b\u00e4nk\.com/],
      ["https://\uff42\uff41\uff4e\uff4b.com/", "bank.com", undefined],
      ["https://пример.рф/", "пример.рф", undefined],
      ["https://例子.中国/", "例子.中国", undefined],
    ]
    for (const [text, host, warning] of cases) {
      const link = linkIn(text)
      assert.equal(link.host, host, text)
      if (warning === undefined) assert.equal(link.warning, undefined, text)
      else assert.match(linkWarningWords(link.warning!, link.host), warning, text)
    }
  })

  it("ends at what cannot be seen, and is none where it was to be read on", () => {
    for (const hidden of ["\u200b", "\u202e", "\u2066", "\u00ad", "\ufeff", "\u2060"]) {
      assert.equal(hasLink(`https://bank.com${hidden}.evil.com/`), false, hidden.codePointAt(0)!.toString(16))
      assert.equal(linkIn(`https://bank.com${hidden} and`).href, "https://bank.com/")
    }
    assert.equal(hasLink(`https://example.org/${"a".repeat(5_000)}`), false)
  })

  it("is listed once, however often it stands there", () => {
    assert.deepEqual(
      linksIn("https://a.org https://a.org/ https://b.org").map(({ href }) => href),
      ["https://a.org/", "https://b.org/"],
    )
  })
})

/** Signs as brackets: [b:bold], [i:italic], [c:code]. */
function marked(parts: readonly Inline[]): string {
  return parts
    .map((part) => {
      if (typeof part === "string") return part
      if (part.type === "link") return `[l:${part.link.href}]`
      return `[${part.type[0]}:${part.type === "code" ? part.text : marked(part.parts)}]`
    })
    .join("")
}

function drawn(text: string): string {
  return richText(text)
    .map((block) => {
      if (block.type === "text") return marked(block.parts)
      if (block.type === "code") return `[pre:${block.text}]`
      return `[list${block.start ?? ""}:${block.items.map(marked).join("|")}]`
    })
    .join("¶")
}

describe("a text", () => {
  it("has code, bold, italic and lists, and nothing else is a sign", () => {
    const cases: readonly (readonly [text: string, drawn: string])[] = [
      ["**bold** and *italic* and _so_", "[b:bold] and [i:italic] and [i:so]"],
      ["**one *two* three**", "[b:one [i:two] three]"],
      ["**see https://a.org/x_y_z**", "[b:see [l:https://a.org/x_y_z]]"],
      ["2 * 3 * 4 = 24, snake_case_name, a*b*c", "2 * 3 * 4 = 24, snake_case_name, a*b*c"],
      ["__init__ and __proto__", "__init__ and __proto__"],
      ["**open, *and so on", "**open, *and so on"],
      ["a *b\nc* d", "a *b\nc* d"],
      ["** ** **** __", "** ** **** __"],
      ["`**code**` and `open", "[c:**code**] and `open"],
      ["`https://a.org`", "[c:https://a.org]"],
      ["```\nlet a = *b*\n```\nafter", "[pre:let a = *b*]¶after"],
      ["```ts\none\n\ntwo\n```", "[pre:one\n\ntwo]"],
      ["```\nnever closed", "```\nnever closed"],
      ["- one\n- *two*\nafter", "[list:one|[i:two]]¶after"],
      ["1. one\n2. two", "[list1:one|two]"],
      ["2026. What a year", "2026. What a year"],
      ["<b>no</b> <script>alert(1)</script> &amp;", "<b>no</b> <script>alert(1)</script> &amp;"],
      ["[text](https://a.org)", "[text]([l:https://a.org/])"],
      ["line\n\nline", "line\n\nline"],
      ["", ""],
    ]
    for (const [text, expected] of cases) assert.equal(drawn(text), expected, text)
  })

  it("cannot hide anything in code, nor reverse what stands there, nor build towers", () => {
    assert.equal(drawn("`a\u202eb\u2066c\u200b`"), "[c:ab[U+2066]c[U+200B]]")
    assert.equal(drawn("pay \u202e001 to me"), "pay 001 to me")
    const tower = `a${"\u0301".repeat(2_000)}b`
    assert.equal(drawn(tower).length, 8)
    assert.equal(drawn("किरण देसाई שָׁלוֹם"), "किरण देसाई שָׁלוֹם")
  })

  it("is read in proportion to its length, whatever is in it", () => {
    const hostile = [
      "*",
      "**a ",
      "_",
      "`",
      "`a",
      "```\n",
      "- \n",
      "1. a\n",
      "https://",
      "(((((",
      "\u0301",
      "*a_b",
      "https://a.org ",
      "*a* ",
    ]
    const timed = (text: string) => {
      // Of the processor: what else the machine does must not count.
      const { user } = process.cpuUsage()
      richText(text)
      linksIn(text)
      return (process.cpuUsage().user - user) / 1_000
    }
    for (const piece of hostile) {
      timed(piece.repeat(1_000))
      const milliseconds = timed(piece.repeat(Math.ceil(65_536 / piece.length)))
      assert.ok(milliseconds < 1_000, `${JSON.stringify(piece)}: ${milliseconds} ms`)
    }
  })

  it("is shown in part where it is long, by letters or by lines", () => {
    assert.equal(beginningOf("short"), undefined)
    assert.equal(beginningOf("x".repeat(2_000)), undefined)
    assert.equal(beginningOf("x".repeat(2_001))!.length, 2_000)
    assert.equal(beginningOf("a\n".repeat(100))!.split("\n").length, 30)
    assert.ok(!/[\ud800-\udbff]$/.test(beginningOf("\u{1f600}".repeat(1_001).slice(1))!))
  })

  it("that nobody can see is known, and so are pictures alone", () => {
    for (const text of ["\u200b\u200d", " \n", "\u2800", "\u00ad\u034f", "\u3164", "\u0301"])
      assert.equal(isVisible(text), false)
    for (const text of ["a", ".", "\u{1f600}", "字"]) assert.ok(isVisible(text))
    for (const text of ["\u{1f600}", "\u{1f600} \u{1f389}", "👩‍👩‍👧", "🇩🇪", "❤️", "👍🏽"])
      assert.ok(isEmojiAlone(text), text)
    for (const text of ["\u{1f600}".repeat(4), "1", "ok 👍", "", "🏽\u200d", "\u200d"])
      assert.equal(isEmojiAlone(text), false)
  })
})
