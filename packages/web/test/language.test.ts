import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { audit } from "./audit.js"
import { believeAllDevices, joined, openPerson } from "./people.js"
import { noBrowser, Person } from "./person.js"
import { Service } from "./service.js"

const WIDTHS = [320, 390, 768, 1280]

/** Nothing is wider than the page, and all of it can be used by everybody. */
async function fits(person: Person, view: string): Promise<void> {
  for (const width of WIDTHS) {
    await person.page.setViewportSize({ width, height: 800 })
    await person.page.waitForTimeout(100)
    assert.deepEqual(await audit(person.page), [], `${view}, ${width}`)
    await person.screenshot(`german-${view}-${width}`)
  }
  await person.page.setViewportSize({ width: 1280, height: 800 })
}

/** What of the page's words, and of its labels, is in English. */
function englishIn(person: Person): Promise<readonly string[]> {
  return person.page.evaluate(() => {
    const english = /\b(the|and|you|your|are|with|this|from|have|message|messages|device|devices|close|open|not)\b/i
    const texts: string[] = []
    const walker = document.createTreeWalker(document.getElementById("app")!, NodeFilter.SHOW_ELEMENT)
    for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
      const element = node as HTMLElement
      if (element.closest(".bubble, [lang]:not(html)") !== null) continue
      for (const name of ["aria-label", "title", "placeholder"]) texts.push(element.getAttribute(name) ?? "")
      for (const child of element.childNodes) if (child instanceof Text) texts.push(child.data)
    }
    return texts.filter((text) => english.test(text))
  })
}

async function speak(person: Person, settings: string, language: string): Promise<void> {
  await person.page.getByRole("button", { name: settings, exact: true }).click()
  await person.page.getByRole("dialog").getByRole("radio", { name: language }).check()
}

const language = (person: Person) => person.page.evaluate(() => document.documentElement.lang)

describe("the language of the page", { skip: noBrowser, timeout: 180_000 }, () => {
  it("is changed while the page is open: titles, what is shown and what is said aloud", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open()
    await alice.register()
    await using bob = await openPerson(service, "bob")
    await using carol = await openPerson(service, "carol")
    await alice.createConversation("first", "carol")
    await joined(carol, "first")
    await alice.createConversation("team", "bob")
    const team = await joined(bob, "team")
    await alice.say("kept")
    await alice.message("kept", "sent").waitFor()
    await alice.isKept()
    const { page } = alice
    await page.getByLabel("Message to team").fill("half a sentence")
    await page.evaluate(() => Object.assign(globalThis, { isSame: true }))
    assert.equal(await language(alice), "en")

    // Where there is little room, the settings are where the list is.
    await page.evaluate(() => (location.hash = ""))
    await speak(alice, "Settings", "Deutsch")
    const dialog = page.getByRole("dialog", { name: "Einstellungen" })
    await dialog.getByRole("group", { name: "Sprache" }).waitFor()
    assert.equal(await language(alice), "de")
    await fits(alice, "settings")
    await dialog.getByRole("button", { name: "Fertig" }).click()
    assert.equal(await page.evaluate(() => "isSame" in globalThis), true, "the page was not loaded again")
    await page.getByRole("link", { name: /team/ }).click()
    assert.equal(await page.getByLabel("Nachricht an team").inputValue(), "half a sentence")
    await page.getByRole("navigation", { name: "Unterhaltungen" }).waitFor()
    // What was drawn before, and is drawn again only where something changes.
    await page.getByRole("button", { name: "Heute: zu einem anderen Tag" }).waitFor()
    await page.getByRole("link", { name: /team/ }).getByText("Du:").waitFor()
    assert.deepEqual(await englishIn(alice), [])

    await page.getByRole("link", { name: /first/ }).click()
    await bob.setDisplayName("Robert")
    await team.send("Guten Morgen")
    await page.getByTestId("announcement").getByText("in team: Guten Morgen").waitFor({ state: "attached" })
    await page.getByRole("link", { name: /team/ }).click()
    await team.setTitle("Team Nord")
    const renamed = "bob hat die Unterhaltung „Team Nord“ genannt."
    await page.locator(".notice", { hasText: "hat die Unterhaltung „Team Nord“ genannt." }).waitFor()
    assert.match(
      (await page.getByTestId("announcement").textContent()) ?? "",
      /hat die Unterhaltung „Team Nord“ genannt\.$/,
    )
    assert.ok(renamed.startsWith("bob"))
    await page.waitForFunction(() => document.title === "Team Nord – Conclave")

    service.lie()
    await using mallory = await openPerson(service, "carol", { file: "mallory" })
    await believeAllDevices(bob, "carol")
    await Promise.all([carol.close(), mallory.close()])
    await team.invite("carol")
    const alert = page.getByRole("alert").filter({ hasText: "carol hat einen neuen Schlüssel." })
    await alert.waitFor()
    assert.deepEqual(await alert.getByRole("button").allInnerTexts(), ["Weiter ablehnen", "Vergleichen"])
    assert.deepEqual(await englishIn(alice), [])
    await fits(alice, "alert")
    await alert.getByRole("button", { name: "Vergleichen" }).click()
    await page.getByRole("dialog", { name: "Der neue Schlüssel von carol" }).waitFor()
    assert.deepEqual(await englishIn(alice), [])
    await fits(alice, "new-key")
    await page.keyboard.press("Escape")
    await alert.getByRole("button", { name: "Weiter ablehnen" }).click()

    await page.reload()
    await page.getByRole("navigation", { name: "Unterhaltungen" }).waitFor()
    assert.equal(await language(alice), "de")
    await speak(alice, "Einstellungen", "English")
    await page.getByRole("dialog", { name: "Settings" }).getByRole("button", { name: "Done" }).click()
    await page.getByRole("navigation", { name: "Conversations" }).waitFor()
    assert.equal(await language(alice), "en")
    assert.deepEqual(alice.complaints, [])
  })

  it("is the first one of the browser's that the page has, from the first drawing on, and fits everywhere", async () => {
    await using service = new Service()
    await service.start()
    await using anna = new Person("anna", service.address, { locale: "de-AT" })
    await anna.open("", (page) =>
      page.addInitScript(() => {
        // An empty document, which Firefox has before the page, has no storage.
        if (self.origin === "null") return
        const looked = () => {
          if (document.body === null) requestAnimationFrame(looked)
          else sessionStorage.setItem("first", document.querySelector<HTMLElement>(".loading-state")?.innerText ?? "")
        }
        looked()
      }),
    )
    const { page } = anna
    await page.getByRole("button", { name: "Diesen Namen nehmen" }).waitFor()
    assert.equal(await language(anna), "de")
    assert.deepEqual(await englishIn(anna), [])
    await fits(anna, "welcome")
    await page.getByRole("button", { name: "Diesen Namen nehmen" }).click()
    await page.getByText("Er ist leer. Ein Name hat 1 bis 128 Buchstaben").waitFor()
    await page.getByLabel("Dein Name").fill("anna")
    await page.getByRole("button", { name: "Diesen Namen nehmen" }).click()
    await page.getByText("Noch keine Unterhaltungen.").waitFor()
    await fits(anna, "empty")
    await using bob = await openPerson(service, "bob")
    await page.getByRole("button", { name: "Neue Unterhaltung" }).first().click()
    await page.getByLabel("Titel").first().fill("Lesekreis")
    await page.getByLabel("Personen").fill("bob, niemand-heisst-so")
    await page.getByRole("button", { name: "Anlegen", exact: true }).click()
    await page.getByText("Niemand heißt niemand-heisst-so. Bitte die Person").waitFor()
    await fits(anna, "new-conversation")
    await page.getByLabel("Personen").fill("bob")
    await page.getByRole("button", { name: "Anlegen", exact: true }).click()
    await page.getByRole("heading", { level: 1, name: "Lesekreis" }).waitFor()
    const club = await joined(bob, "Lesekreis")
    await club.send("Guten Morgen")
    await page.getByText("Guten Morgen").first().waitFor()
    await fits(anna, "chat")
    await page.evaluate(() => (location.hash += "/group"))
    await page.getByRole("heading", { name: "Gruppe", exact: true }).waitFor()
    assert.deepEqual(await englishIn(anna), [])
    await fits(anna, "group")
    await page.getByRole("link", { name: "Hineinschauen" }).click()
    await page.getByRole("heading", { name: "Inspektor", exact: true }).waitFor()
    assert.deepEqual(await englishIn(anna), [])
    await fits(anna, "inspector")
    await page.getByRole("link", { name: "Du: Name, Schlüssel und Geräte" }).click()
    await page.getByRole("heading", { name: "Du", exact: true }).waitFor()
    assert.deepEqual(await englishIn(anna), [])
    await fits(anna, "you")
    const first = await page.evaluate(() => sessionStorage.getItem("first"))
    assert.ok(first !== null && first !== "Loading…")
    await club.invite("anna").catch(() => {})
    await using dora = await openPerson(service, "dora")
    await dora.createConversation({ title: "Chor", members: ["anna"] })
    await page.getByRole("link", { name: /dora/ }).click()
    await page.getByRole("heading", { name: "dora lädt dich zu einer Unterhaltung ein" }).waitFor()
    assert.deepEqual(await englishIn(anna), [])
    await fits(anna, "invitation")
    assert.deepEqual(anna.complaints, [])
  })
})
