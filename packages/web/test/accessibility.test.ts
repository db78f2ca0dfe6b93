import assert from "node:assert/strict"
import { after, before, describe, it } from "node:test"
import { audit } from "./audit.js"
import { axeFindings } from "./axe.js"
import { eventually } from "./eventually.js"
import { joined, openPerson } from "./people.js"
import { noBrowser, Person, showOn } from "./person.js"
import { Service } from "./service.js"

describe("the page of somebody whose browser has large text", { skip: noBrowser, timeout: 120_000 }, () => {
  it("grows with it, and has room for one thing where two would be cramped", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address, { fontSize: 32 })
    await alice.open()
    const { page } = alice
    await page.getByLabel("Your name").waitFor()
    assert.deepEqual(await audit(page), [])
    await alice.screenshot("large-text-start")
    await alice.register()
    await alice.createConversation("Harbour")
    await alice.say("Everybody can read this.")
    await alice.message("Everybody can read this.", "sent").waitFor()
    const size = await alice
      .message("Everybody")
      .locator(".bubble")
      .evaluate((it) => getComputedStyle(it).fontSize)
    assert.equal(size, "30px", "twice of what it is otherwise")
    assert.equal(await page.locator(".list-pane").isVisible(), false, "1280 pixels are as wide as 640 otherwise")
    assert.deepEqual(await audit(page), [])
    await alice.screenshot("large-text-chat")
    await alice.showGroup()
    assert.deepEqual(await audit(page), [])
    await alice.screenshot("large-text-group")
    await page.setViewportSize({ width: 2560, height: 1600 })
    await page.locator(".list-pane").waitFor()
    assert.deepEqual(await audit(page), [])
    await alice.screenshot("large-text-wide")
    assert.deepEqual(alice.complaints, [])
  })
})

describe("the page for everybody", { skip: noBrowser, timeout: 240_000 }, () => {
  let service: Service
  let alice: Person

  before(async () => {
    service = new Service()
    await service.start()
    alice = new Person("alice", service.address, { reducedMotion: "no-preference" })
    await alice.open()
  })

  after(async () => {
    await alice[Symbol.asyncDispose]()
    await service[Symbol.asyncDispose]()
  })

  /** In both colour schemes, as wide as a screen and as narrow as a small phone. */
  async function inspect(view: string): Promise<void> {
    const { page } = alice
    for (const colorScheme of ["light", "dark"] as const) {
      for (const width of [1280, 900, 360]) {
        await showOn(page, { colorScheme })
        await page.setViewportSize({ width, height: 800 })
        assert.deepEqual(await audit(page), [], `${view}, ${colorScheme}, ${width} pixels wide`)
      }
    }
    await showOn(page, { colorScheme: "light" })
    await page.setViewportSize({ width: 1280, height: 800 })
  }

  async function press(...keys: readonly string[]): Promise<void> {
    for (const key of keys) await alice.page.keyboard.press(key)
  }

  function focused(): Promise<string> {
    return alice.page.evaluate(() => {
      const element = document.activeElement
      return (
        element?.getAttribute("aria-label") ??
        (element as HTMLInputElement)?.labels?.[0]?.textContent ??
        element?.textContent ??
        ""
      )
    })
  }

  it("finds what it looks for", async () => {
    await alice.page.getByLabel("Your name").waitFor()
    await alice.page.evaluate(() => {
      const bad = document.createElement("main")
      bad.innerHTML =
        "<h1>one</h1><h1>two</h1><button></button><input placeholder='pale'><button>far</button>" +
        "<div><p>wide</p></div><button>longer than its button</button>"
      const style = (selector: string, styles: Partial<CSSStyleDeclaration>) =>
        Object.assign(bad.querySelector<HTMLElement>(selector)!.style, styles)
      const rules = new CSSStyleSheet()
      rules.insertRule("[placeholder=pale]::placeholder { color: rgb(200 200 200) }")
      document.adoptedStyleSheets.push(rules)
      style("input + button", { position: "fixed", left: "3000px" })
      style("div", { width: "90px", overflow: "auto" })
      style("p", { width: "900px" })
      style("div + button", { width: "40px", overflow: "hidden", whiteSpace: "nowrap" })
      document.body.append(bad)
      bad.style.color = "rgb(200 200 200)"
    })
    const found = (await audit(alice.page)).join("\n")
    assert.match(found, /<button.* has no name/)
    assert.match(found, /<input.* has no name/)
    assert.match(found, /contrast of 1\./)
    assert.match(found, /<input.*contrast of 1\./)
    assert.match(found, /2 main landmarks/)
    assert.match(found, /<button.*far is from 3000/)
    assert.match(found, /<div.*wide is 900 wide in 90/)
    assert.match(found, /longer than its button is cut off/)
    const axes = (await axeFindings(alice.page)).join("\n")
    for (const rule of ["button-name", "color-contrast", "landmark-no-duplicate-main"])
      assert.match(axes, new RegExp(`^${rule}: `, "m"))
    assert.doesNotMatch((await axeFindings(alice.page, { isForced: true })).join("\n"), /^color-contrast/m)
    await alice.page.reload()
  })

  it("is registered, and written in, by keyboard alone", async () => {
    await alice.page.getByLabel("Your name").waitFor()
    await inspect("the choice of a name")
    await eventually(async () => assert.equal(await focused(), "Your name"))
    await alice.page.keyboard.type("two words")
    await press("Enter")
    await alice.page.getByText("It contains a space.").waitFor()
    await inspect("a name that is none")
    await press("ControlOrMeta+a")
    await alice.page.keyboard.type("alice")
    await press("Enter")
    await alice.page.getByRole("heading", { name: "You are alice" }).waitFor()
    await inspect("no conversations")
    await press("Tab")
    assert.equal(await focused(), "You: name, key and devices")
    await press("Tab")
    assert.equal(await focused(), "New conversation")
    await press("Enter")
    await alice.page.getByRole("dialog").waitFor()
    await inspect("a new conversation")
    await press("Escape")
    await alice.page.getByRole("dialog").waitFor({ state: "detached" })
    await eventually(async () => assert.equal(await focused(), "New conversation", "the focus goes back"))
    await press("Enter")
    await eventually(async () => assert.equal(await focused(), "Title"))
    await alice.page.keyboard.type("team")
    await press("Enter")
    await alice.page.getByRole("heading", { level: 1, name: "team" }).waitFor()
    await eventually(async () => assert.equal(await focused(), "Message to team"))
    await alice.page.keyboard.type("one line")
    await press("Shift+Enter")
    await alice.page.keyboard.type("and another")
    await press("Enter")
    const sent = alice.message("and another", "sent")
    await sent.waitFor()
    assert.equal(await sent.locator(".bubble").textContent(), "one line\nand another")
    await inspect("a conversation with oneself")
  })

  it("shows the group to eyes, to keys and in words", async () => {
    const { page } = alice
    await using bob = await openPerson(service, "bob")
    await using carol = await openPerson(service, "carol")
    await alice.invite("bob")
    const bobsTeam = await joined(bob, "team")
    await alice.invite("carol")
    await joined(carol, "team")
    await alice.lookInside()
    await page
      .getByRole("complementary", { name: "Inspector" })
      .getByRole("img", { name: /^Ratchet tree: 3 of 4 leaves/ })
      .waitFor()
    await page.getByText("The tree in words").click()
    await page.getByText("Leaves: alice (you), bob, carol, blank.").waitFor()
    await inspect("what is inside")
    await page.getByRole("button", { name: "Enlarge the tree" }).press("Enter")
    await inspect("the large tree")
    await press("Escape")
    await eventually(async () => assert.equal(await focused(), "Enlarge the tree"))
    await alice.showGroup()
    await alice.member("bob").focus()
    await press("ArrowDown")
    assert.equal(await focused(), "Ccarol")
    await press("Home", "Enter")
    await page.getByRole("button", { name: "Verify", exact: true }).press("Enter")
    await page.getByTestId("safety-code").waitFor()
    await eventually(async () => assert.equal((await focused()).trim(), "Cancel", "Enter twice does not verify"))
    await inspect("a safety code")
    await press("Escape")
    await page.getByTestId("safety-code").waitFor({ state: "detached" })
    await eventually(async () => assert.equal((await focused()).trim(), "Verify", "the focus goes back"))
    await inspect("a member")
    await alice.member("bob").focus()
    await press("Escape")
    await page.getByRole("region", { name: "About bob" }).waitFor({ state: "detached" })
    await eventually(async () => assert.equal(await focused(), "Bbob"))
    await bobsTeam.send("Hello")
    await alice.message("Hello", "received").waitFor()
    await inspect("a conversation of three")
  })

  it("shows oneself: name, key and devices", async () => {
    const { page } = alice
    await page.getByRole("link", { name: "You: name, key and devices" }).click()
    await page.locator(".own-devices li").getByText("this device").waitFor()
    await inspect("oneself")
    await page.getByRole("button", { name: "Back to the conversations" }).click()
    await alice.choose("team")
  })

  it("is one thing at a time on a phone", async () => {
    const { page } = alice
    await page.setViewportSize({ width: 360, height: 740 })
    await page.getByRole("button", { name: /^Group/ }).click()
    await page.getByRole("heading", { name: "Members" }).waitFor()
    await inspect("the group")
    await page.setViewportSize({ width: 360, height: 740 })
    assert.equal(await page.getByLabel(/^Message to/).isVisible(), false)
    await page.getByRole("heading", { name: "Group", exact: true }).focus()
    await press("Escape")
    await page.getByLabel(/^Message to/).waitFor()
    await eventually(async () => assert.match(await focused(), /^Group/, "the focus goes back"))
    await page.getByRole("button", { name: "All conversations" }).click()
    await page.getByRole("link", { name: /team/ }).waitFor()
    await page.goBack()
    await page.getByLabel(/^Message to/).waitFor()
    await page.setViewportSize({ width: 1280, height: 800 })
  })

  it("shows where the focus is, at every stop", async () => {
    await alice.page.reload()
    await alice.page.getByLabel(/^Message to/).waitFor()
    await alice.page.getByRole("button", { name: "New conversation" }).focus()
    const stops: string[] = []
    for (let i = 0; i < 40; i++) {
      await press("Tab")
      const stop = await alice.page.evaluate(() => {
        const element = document.activeElement as HTMLElement
        if (element === document.body) return undefined
        const ringed = (it: Element) =>
          getComputedStyle(it).outlineStyle !== "none" && getComputedStyle(it).outlineWidth !== "0px"
        // The field of the composer has its frame lit.
        return { name: element.outerHTML.slice(0, 80), ring: ringed(element) || ringed(element.parentElement!) }
      })
      if (stop === undefined) break
      assert.ok(stop.ring, stop.name)
      stops.push(stop.name)
    }
    assert.ok(stops.length >= 11, `${stops.length} stops`)
  })

  it("moves the renewed path once, and not for those who want no motion", async () => {
    const { page } = alice
    const animations = () =>
      page.evaluate(() =>
        document.getAnimations().flatMap(({ effect }) => effect?.getComputedTiming().iterations ?? []),
      )
    await using bob = await openPerson(service, "bob")
    const team = await joined(bob, "team")
    const renew = async () => {
      const before = await alice.epoch()
      await team.refresh()
      await eventually(async () => assert.equal(await alice.epoch(), before + 1))
      return (await animations()).filter((iterations) => iterations > 0)
    }
    await alice.lookInside()
    assert.deepEqual(await animations(), [], "nothing moves that has not changed")
    const moving = await renew()
    assert.ok(moving.length >= 3 && moving.every((iterations) => iterations === 1), moving.join())
    await showOn(page, { reducedMotion: "reduce" })
    assert.deepEqual(await renew(), [])
    await showOn(page, { reducedMotion: "no-preference" })
  })

  it("causes no fault", () => {
    assert.deepEqual(alice.complaints, [])
    assert.deepEqual(service.faults, [])
  })
})
