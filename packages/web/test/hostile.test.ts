import assert from "node:assert/strict"
import { after, before, describe, it } from "node:test"
import type { Client } from "@conclave/client/node"
import { audit } from "./audit.js"
import { eventually } from "./eventually.js"
import { joined, openPerson } from "./people.js"
import { clipboardOf, noBrowser, Person, showOn } from "./person.js"
import { Service } from "./service.js"

const WIDTHS = [1280, 768, 390, 320]
/** No message takes more of the screen than about this, before the reader wants all of it. */
const HEIGHT_MAX = 1_700

describe("what others write", { skip: noBrowser, timeout: 400_000 }, () => {
  let service: Service
  let alice: Person
  const others: Client[] = []

  before(async () => {
    service = new Service()
    await service.start()
    alice = new Person("alice", service.address)
    await alice.open()
    await alice.register("alice", "Alice Liddell")
    await alice.page.getByRole("heading", { name: "You are Alice Liddell" }).waitFor()
  })

  after(async () => {
    await Promise.all(others.map((client) => client.close()))
    await alice[Symbol.asyncDispose]()
    await service[Symbol.asyncDispose]()
  })

  async function open(name: string, displayName: string): Promise<Client> {
    const client = await openPerson(service, name, { displayName })
    others.push(client)
    return client
  }

  /** Nothing is wider than the page, and nobody stumbles; a picture of each. */
  async function inspect(view: string): Promise<void> {
    const { page } = alice
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: width < 760 ? 844 : 800 })
      for (const colorScheme of ["light", "dark"] as const) {
        await showOn(page, { colorScheme })
        await page.waitForTimeout(100)
        const wide = await page.evaluate(() =>
          [document.documentElement, ...document.querySelectorAll(".messages, .list-pane, .search-results, .bubble")]
            .filter((it) => it.scrollWidth > it.clientWidth + 1 && getComputedStyle(it).overflowX !== "clip")
            .map((it) => `${it.className} ${it.scrollWidth} > ${it.clientWidth}`),
        )
        assert.deepEqual(wide, [], `${view}, ${width}`)
        assert.deepEqual(await audit(page), [], `${view}, ${width}, ${colorScheme}`)
        if (width !== 768) await alice.screenshot(`${view}-${colorScheme}-${width}`)
      }
    }
    await showOn(page, { colorScheme: "light", forcedColors: "active" })
    await page.setViewportSize({ width: 1280, height: 800 })
    await alice.screenshot(`${view}-forced-1280`)
    await showOn(page, { colorScheme: "light", forcedColors: "none" })
  }

  it("is drawn as they mean it: links, code, lists, pictures, directions", async () => {
    const bob = await open("bob", "Bob")
    const imitator = await open("b\u043eb", "Bob")
    const names = await Promise.all(["constructor", "__proto__", "toString"].map((name) => open(name, "")))
    await alice.createConversation("Everything", [bob, imitator, ...names].map(({ name }) => name).join(" "))
    const all = await Promise.all([bob, imitator, ...names].map((client) => joined(client, "Everything")))
    const [bobs, imitators, ...strange] = all
    await bobs!.send("Read **this** first: https://example.org/notes?id=7, then _sign_ it.")
    await bobs!.send("Before we tag it:\n- run `npm test`\n- read the *changes*\n1. is no list alone")
    await bobs!.send(
      "```ts\nconst sum = (a: number, b: number) => a + b // a long line that goes on and on and on, further than the bubble\n```",
    )
    await imitators!.send("It is me, Bob. Pay at https://bank.com@evil.example/ or https://b\u0430nk.com")
    for (const [at, it] of strange.entries()) await it.send(`I am ${names[at]!.name}`)
    await bobs!.send("שלום, ראה https://example.org/א/bank.com (1)")
    await bobs!.send("\u{1f389}\u{1f44d}")
    await alice.say("Fine with me.")
    await alice.message("Fine with me.", "sent").waitFor()
    const links = await alice.page
      .locator(".bubble a")
      .evaluateAll((all) =>
        all.map((it) => [it.textContent, it.getAttribute("href"), it.getAttribute("rel"), it.getAttribute("target")]),
      )
    const outside = ["noopener noreferrer", "_blank"]
    assert.deepEqual(links, [
      ["https://example.org/notes?id=7", "https://example.org/notes?id=7", ...outside],
      ["https://evil.example/", "https://evil.example/", ...outside],
      ["https://xn--bnk-6cd.com", "https://xn--bnk-6cd.com/", ...outside],
      ["https://example.org/א/bank.com", "https://example.org/%D7%90/bank.com", ...outside],
    ])
    await alice.message("Pay at").getByText("leads to evil.example").waitFor()
    for (const { name } of names)
      await alice.message(`I am ${name}`).locator(".message-from", { hasText: name }).waitFor()
    assert.equal(await alice.page.locator(".bubble.is-emoji").count(), 1)
    const grounds = await alice.page
      .locator(".message > .avatar")
      .evaluateAll((all) => all.map((it) => getComputedStyle(it).backgroundColor))
    assert.ok(new Set(grounds).size >= 3, grounds.join())
    await inspect("drawn")
  })

  it("does not leave its place: huge, without an end, invisible, in towers", async () => {
    const bobs = await joined(others[0]!, "Everything")
    await alice.createConversation("Calm", "bob")
    const calm = await joined(others[0]!, "Calm")
    const texts = [
      `${"word ".repeat(12_000)}the end`,
      "x".repeat(5_000),
      `${"line\n".repeat(400)}last`,
      `Z${"\u0301\u0316\u0327".repeat(4_000)}algo${"\u0300".repeat(3_000)}`,
      "\u200b\u2060\u200d",
      "\u202e moc.knab//:sptth \u202d and \u2067 no end",
      "﷽".repeat(60),
      `\`${"c".repeat(1_000)}\``,
      `https://example.org/${"path/".repeat(200)}`,
    ]
    for (const text of texts) await calm.send(text)
    await calm.send("after all of it")
    await alice.message("after all of it").waitFor()
    await alice.page.locator(".messages").focus()
    await inspect("contained")
    await alice.page.locator(".messages").evaluate((element) => element.scrollTo(0, 0))
    await alice.message("word word").waitFor()
    for (let step = 0; step < 12; step++) {
      const heights = await alice.page
        .locator(".message")
        .evaluateAll((all) => all.map((it) => it.getBoundingClientRect().height))
      assert.ok(Math.max(...heights) < HEIGHT_MAX, heights.join())
      await alice.page.locator(".messages").evaluate((element) => element.scrollBy(0, 600))
      await alice.page.waitForTimeout(100)
    }
    await alice.page.locator(".messages").evaluate((element) => element.scrollTo(0, 0))
    const first = alice.message("word word")
    await first.waitFor()
    const { height: short } = (await first.boundingBox())!
    await first.getByRole("button", { name: "Show all of it" }).click()
    await first.getByText("the end").waitFor()
    assert.ok((await first.boundingBox())!.height > short)
    await first.getByRole("button", { name: "Show less" }).click()
    await eventually(async () => assert.ok(Math.abs((await first.boundingBox())!.height - short) < 2))
    await bobs.send("\u200b")
    await alice.page.getByRole("link", { name: /^Everything/ }).click()
    await alice.message("Nothing in this message can be seen.").waitFor()
  })

  it("can be copied from a menu that the keyboard opens, as it was written", async () => {
    const { page } = alice
    await page.locator(".messages").evaluate((element) => element.scrollTo(0, 0))
    const message = alice.message("Read this first")
    await message.waitFor()
    await message.getByRole("button", { name: "Message actions" }).focus()
    await page.keyboard.press("Enter")
    await page.getByRole("menuitem", { name: "Copy text" }).waitFor()
    assert.deepEqual(await audit(page), [])
    await alice.screenshot("message-menu")
    await page.keyboard.press("Enter")
    await page.getByText("Copied.").waitFor({ state: "attached" })
    const copied = await clipboardOf(page)
    assert.equal(copied, "Read **this** first: https://example.org/notes?id=7, then _sign_ it.")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("Enter")
    // It is open where the focus is in it.
    await page.locator("[role=menuitem]:focus").waitFor()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await eventually(async () => {
      assert.equal(await clipboardOf(page), "https://example.org/notes?id=7")
    })
    await page.keyboard.press("Enter")
    await page.keyboard.press("Escape")
    assert.equal(await page.getByRole("menu").count(), 0)
  })

  it("causes no fault", () => {
    assert.deepEqual(alice.complaints, [])
    assert.deepEqual(service.faults, [])
  })
})
