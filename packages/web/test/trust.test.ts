import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { Page } from "playwright-core"
import { audit } from "./audit.js"
import { eventually } from "./eventually.js"
import { joined, openPerson } from "./people.js"
import { allowCamera, noBrowser, Person } from "./person.js"
import { Service } from "./service.js"

/** What is wider than its place, at any width: nobody should have to scroll sideways. */
async function overflowing(page: Page): Promise<readonly string[]> {
  return page.evaluate(() => {
    const places = [
      document.documentElement,
      ...document.querySelectorAll(".you-cards, .group-cards, .dialog, .alerts"),
    ]
    return places
      .filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)
      .map((it) => `${it.className || it.tagName}: ${it.scrollWidth} in ${it.clientWidth}`)
  })
}

async function fits(person: Person, what: string): Promise<void> {
  for (const width of [1280, 768, 390, 320]) {
    await person.page.setViewportSize({ width, height: 800 })
    await eventually(async () => assert.deepEqual(await overflowing(person.page), [], `${what}, ${width} pixels wide`))
  }
  assert.deepEqual(await audit(person.page), [], what)
  await person.page.setViewportSize({ width: 1280, height: 800 })
}

describe("two friends who verify each other", { skip: noBrowser, timeout: 240_000 }, () => {
  it("compare by pasting, by camera, or by eye; another code is no match, and it is said what that means", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    await using bob = new Person("bob", service.address)
    await Promise.all([alice.open(), bob.open()])
    await alice.register()
    await bob.register()
    await bob.page.getByRole("heading", { name: "You are bob" }).waitFor()
    await using carol = await openPerson(service, "carol")
    await alice.createConversation("Harbour", "bob carol")
    await bob.accept("alice")
    await joined(carol, "Harbour")

    const theirs = await bob.safetyCodeWith("alice")
    const dialog = await alice.verify("bob")
    await dialog.getByText("This browser cannot scan codes.").waitFor()
    await dialog.getByRole("img", { name: /^QR code/ }).waitFor()
    await fits(alice, "the comparison")
    await alice.page.setViewportSize({ width: 390, height: 660 })
    await dialog.getByLabel("Or type or paste").fill("not a code")
    await alice.page.keyboard.press("Enter")
    const verdict = dialog.getByText("That is not a code of Conclave.")
    await verdict.waitFor()
    const isInFront = (element: Element) => {
      const { left, top, width, height } = element.getBoundingClientRect()
      return document.elementFromPoint(left + width / 2, top + height / 2) === element
    }
    await eventually(async () => assert.ok(await verdict.evaluate(isInFront), "a phone shows it at once"))
    await alice.page.setViewportSize({ width: 1280, height: 800 })
    await dialog.getByLabel("Or type or paste").fill(await otherCode(bob))
    await dialog.getByRole("button", { name: "Check" }).click()
    await dialog.getByText("The codes are not the same. Somebody may be reading along").waitFor()
    assert.equal(await dialog.getByText("You have verified bob.").count(), 0)
    const match = dialog.getByRole("button", { name: "They match: mark as verified" })
    assert.equal(await match.count(), 0, "not beside the words that they differ")
    await alice.page.keyboard.press("Escape")
    await alice.page.getByRole("button", { name: "Verify", exact: true }).focus()
    await alice.page.keyboard.press("Enter")
    await match.waitFor()
    await alice.page.keyboard.press("Enter")
    await dialog.waitFor({ state: "detached" })
    await alice.page.getByText("You have not compared codes with bob yet.").waitFor()
    await alice.verify("bob")
    await dialog.getByLabel("Or type or paste").fill(theirs)
    await dialog.getByRole("button", { name: "Check" }).click()
    await dialog.getByText("The codes match. bob is verified.").waitFor()
    await dialog.getByText("You have verified bob.").waitFor()
    await alice.page.keyboard.press("Escape")
    await alice.member("bob").getByText("verified", { exact: true }).waitFor()
    const title = alice.page.getByRole("heading", { level: 1 })
    assert.equal(await title.getByText("everybody is verified").count(), 0, "carol is not")
    await alice.markVerified("carol")
    await title.getByText("everybody is verified").waitFor()
    await alice.page.reload()
    await title.getByText("everybody is verified").waitFor()

    // No Chromium on Linux detects codes: what it would have found is put in its place.
    await allowCamera(bob.page)
    await bob.page.addInitScript(() => {
      const found = () => (globalThis as { seen?: string }).seen
      Object.assign(globalThis, {
        BarcodeDetector: class {
          detect = async () => (found() === undefined ? [] : [{ rawValue: found() }])
        },
      })
    })
    await bob.page.reload()
    const scanning = await bob.verify("alice")
    await scanning.getByRole("button", { name: "Scan with the camera" }).click()
    const video = scanning.locator("video")
    await eventually(async () => assert.ok(await video.evaluate((it: HTMLVideoElement) => it.currentTime > 0)))
    const say = (seen: string) => bob.page.evaluate((it) => Object.assign(globalThis, { seen: it }), seen)
    await say("https://example.org/")
    await scanning.getByText("That is not a code of Conclave.").waitFor()
    await say(`CONCLAVE:SAFETY:1:${theirs.replaceAll(" ", "")}`)
    await scanning.getByText("The codes match. alice is verified.").waitFor()
    await video.waitFor({ state: "detached" })
    assert.deepEqual([...alice.complaints, ...bob.complaints], [])
    assert.deepEqual(service.faults, [])
  })
})

/** A code that bob has with somebody else. */
async function otherCode(bob: Person): Promise<string> {
  return bob.safetyCodeWith("carol")
}

describe("somebody whose name a strange device uses", { skip: noBrowser, timeout: 240_000 }, () => {
  it("finds it among their devices, and revokes it, after which there is nothing to decide", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open()
    await alice.register("alice", "Alice Liddell")
    await alice.createConversation("mine")
    service.lie()
    await using mallory = await openPerson(service, "alice", { file: "mallory" })
    await alice.page.reload()
    const alert = alice.page.getByRole("alert").filter({ hasText: "An unknown device uses your name." })
    await alert.waitFor()
    await alice.page.getByRole("link", { name: "You: name, key and devices" }).click()
    const devices = alice.page.locator(".own-devices li")
    await eventually(async () => assert.equal(await devices.count(), 2))
    await fits(alice, "oneself")
    const own = await devices.nth(0).locator("code").innerText()
    const shown = (await alice.page.getByTestId("own-code").locator("li").allTextContents()).join(" ")
    assert.equal(own, shown, "the code of this device")
    assert.equal(await devices.nth(0).getByRole("button").count(), 0, "nobody takes out an older one, or this one here")
    const strange = devices.nth(1)
    assert.equal(await strange.locator("code").innerText(), mallory.keyCode("alice", mallory.signatureKey))
    await strange.getByRole("button", { name: /^Revoke the device/ }).click()
    const dialog = alice.page.getByRole("dialog", { name: "Revoke this device?" })
    await dialog.getByText("It is taken out of all your conversations").waitFor()
    assert.deepEqual(await audit(alice.page), [])
    await dialog.getByRole("button", { name: "Revoke the device" }).click()
    await alice.page.getByText("The device is revoked.").waitFor()
    await strange.getByText("revoked").waitFor()
    assert.equal(await strange.getByRole("button").count(), 0)
    await alert.waitFor({ state: "detached" })
    await alice.page.getByText("This device has seen no unknown device under your name.").waitFor()
    await eventually(() => assert.rejects(mallory.setDisplayName("Still Alice"), { code: "REVOKED" }))
    assert.deepEqual(alice.complaints, [])
  })

  it("is not left with an empty list where the service does not answer", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open()
    await alice.register()
    await alice.page.getByRole("heading", { name: "You are alice" }).waitFor()
    await service.stop()
    await alice.page.getByRole("link", { name: "You: name, key and devices" }).click()
    await alice.page.getByText("The list cannot be read at present.").waitFor()
    await alice.page.getByTestId("own-code").waitFor()
    await service.start()
    await alice.page.getByRole("button", { name: "Try again" }).click()
    await alice.page.locator(".own-devices li").getByText("this device").waitFor()
  })
})

describe("a group of twenty-four", { skip: noBrowser, timeout: 240_000 }, () => {
  it("is a list to search, short notices, and a tree that is enlarged on a phone, too", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open()
    await alice.register()
    const names = Array.from({ length: 23 }, (_, at) => `guest-${at + 1}`)
    const people = []
    for (const name of names) people.push(await openPerson(service, name))
    await alice.createConversation("Assembly", names.join(" "))
    const notice = alice.notice("You added guest-1")
    await notice.getByText(/and 15 others\./).waitFor()
    assert.ok((await notice.innerText()).length < 120, "short")
    await notice.getByRole("button", { name: "Show all names" }).click()
    await notice.getByText(/guest-23\.|guest-9\./).waitFor()

    assert.equal(await alice.page.locator(".members > li").count(), 12)
    const field = await alice.page.getByLabel("Invite by name").boundingBox()
    const first = await alice.page.locator(".members > li").first().boundingBox()
    assert.ok(field!.y < first!.y && first!.y < 400, "what is wanted first comes first")
    await alice.page.getByLabel("Find a member").fill("GUEST-17")
    await eventually(async () => assert.deepEqual(await alice.page.locator(".members > li").count(), 1))
    await alice.page.getByLabel("Find a member").fill("nobody")
    await alice.page.getByText("No member is called that.").waitFor()
    await alice.page.getByLabel("Find a member").fill("")
    await alice.page.getByRole("button", { name: "Show all 24" }).click()
    assert.equal(await alice.page.locator(".members > li").count(), 24)
    await fits(alice, "a large group")

    const seventh = await joined(people[16]!, "Assembly")
    await seventh.refresh()
    await alice.notice("guest-17 renewed their keys.").waitFor()
    await alice.lookInside()
    await eventually(async () => assert.equal(await alice.countNodes("leaf", "filled"), 24))
    await alice.page.locator(".timeline li").first().getByText("guest-17 renewed their keys").waitFor()
    await fits(alice, "what is inside")
    await alice.page.setViewportSize({ width: 390, height: 844 })
    const widthOf = (drawing: string) =>
      alice.page.locator(`${drawing} svg.tree[data-direction]`).evaluate((it) => it.getBoundingClientRect().width)
    const before = await widthOf(".tree-frame")
    await alice.page.getByRole("button", { name: "Enlarge the tree" }).click()
    await eventually(async () => assert.ok((await widthOf(".tree-scroll")) >= 1.4 * before))
    const renewed = alice.page.locator(".tree-scroll .is-leaf.is-renewed")
    await eventually(async () => {
      const [leaf, box] = [await renewed.boundingBox(), await alice.page.locator(".tree-scroll").boundingBox()]
      assert.ok(leaf!.y > box!.y && leaf!.y < box!.y + box!.height, "what was renewed is in sight")
      assert.ok(leaf!.x > box!.x && leaf!.x < box!.x + box!.width)
    })
    await alice.page.getByRole("button", { name: "Show all of it" }).click()
    await eventually(async () => {
      const { height, room } = await alice.page.locator(".tree-scroll").evaluate((it) => ({
        height: it.scrollHeight,
        room: it.clientHeight,
      }))
      assert.ok(height <= room + 1, `${height} in ${room}`)
    })
    await Promise.all(people.map((person) => person.close()))
    assert.deepEqual(alice.complaints, [])
    assert.deepEqual(service.faults, [])
  })
})
