import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { audit } from "./audit.js"
import { eventually } from "./eventually.js"
import { joined, openPerson } from "./people.js"
import { noBrowser, Person, showOn } from "./person.js"
import { Service } from "./service.js"

const LIGHT = "rgb(246, 245, 241)"
const DARK = "rgb(19, 20, 18)"

const background = (person: Person) => person.page.evaluate(() => getComputedStyle(document.body).backgroundColor)
const settings = (person: Person) => person.page.getByRole("dialog", { name: "Settings" })

async function registered(name: string, service: Service): Promise<Person> {
  const person = new Person(name, service.address)
  await person.open()
  await person.register()
  await person.page.getByRole("button", { name: "Settings" }).waitFor()
  return person
}

describe("the appearance", { skip: noBrowser, timeout: 150_000 }, () => {
  it("is the one that was chosen, from the first drawing on", async () => {
    await using service = new Service()
    await service.start()
    await using alice = await registered("alice", service)
    assert.equal(await background(alice), LIGHT)
    await alice.page.getByRole("button", { name: "Settings" }).click()
    assert.deepEqual(await audit(alice.page), [])
    await looks(alice, "settings")
    await settings(alice).getByRole("radio", { name: "Dark" }).check()
    assert.equal(await background(alice), DARK)
    const face = await alice.page.locator(".list-foot .avatar").evaluate((it) => getComputedStyle(it).backgroundColor)
    assert.ok(Math.max(...face.match(/\d+/g)!.map(Number)) < 96, `${face}: colours of people follow what was chosen`)
    await settings(alice).getByRole("button", { name: "Done" }).click()
    await alice.isKept()
    // What is drawn before the page's script runs.
    await alice.page.addInitScript(() => {
      const looked = () => {
        if (document.body === null) requestAnimationFrame(looked)
        else sessionStorage.setItem("first", getComputedStyle(document.body).backgroundColor)
      }
      looked()
    })
    await alice.page.reload()
    await alice.page.getByRole("button", { name: "Settings" }).waitFor()
    assert.equal(await alice.page.evaluate(() => sessionStorage.getItem("first")), DARK)
    const shown = () =>
      alice.page.evaluate(() =>
        [...document.querySelectorAll<HTMLMetaElement>("meta[name=theme-color]")]
          .filter(({ media }) => matchMedia(media).matches)
          .map(({ content }) => content),
      )
    assert.deepEqual(await shown(), ["#131412"])
    await alice.page.getByRole("button", { name: "Settings" }).click()
    await settings(alice).getByRole("group", { name: "Appearance" }).getByRole("radio", { name: "System" }).check()
    assert.equal(await background(alice), LIGHT)
    assert.deepEqual(await shown(), ["#f6f5f1"])
    assert.deepEqual(alice.complaints, [])
  })

  it("has the system's colours where the system has forced them", async () => {
    await using service = new Service()
    await service.start()
    await using alice = await registered("alice", service)
    await alice.createConversation("notes")
    await alice.say("kept")
    await alice.message("kept", "sent").waitFor()
    await showOn(alice.page, { forcedColors: "active" })
    await alice.screenshot("forced-colors")
    const ink = await alice.page.evaluate(() => getComputedStyle(document.querySelector(".wordmark")!).color)
    const forced = await alice.page.evaluate(() => {
      const text = document.body.appendChild(document.createElement("p"))
      text.style.color = "CanvasText"
      return getComputedStyle(text).color
    })
    assert.equal(ink, forced)
    const borders = await alice.page.evaluate(() =>
      [".bubble", ".list-row[aria-current]"].map((it) => {
        const { borderTopStyle, outlineStyle } = getComputedStyle(document.querySelector(it)!)
        return borderTopStyle !== "none" || outlineStyle !== "none"
      }),
    )
    assert.deepEqual(borders, [true, true], "what only a ground has told apart has an edge")
  })
})

/** Sees what the page shows by the system, which a browser without a screen shows nowhere. */
function spy(person: Person): Promise<void> {
  return person.page.evaluate(() => {
    const shown: object[] = []
    const { Notification: own } = globalThis
    class Seen extends own {
      constructor(title: string, options?: NotificationOptions) {
        super(title, options)
        shown.push({ title, body: options?.body, tag: options?.tag })
      }
    }
    Object.assign(globalThis, { Notification: Seen, shown })
  })
}

const shownBy = (person: Person) =>
  person.page.evaluate(() => (globalThis as unknown as { shown: { title: string; body: string }[] }).shown)

const hide = (person: Person, state: "hidden" | "visible") =>
  person.page.evaluate((it) => {
    Object.defineProperty(document, "visibilityState", { value: it, configurable: true })
    document.dispatchEvent(new Event("visibilitychange"))
  }, state)

describe("an invitation", { skip: noBrowser, timeout: 90_000 }, () => {
  it("is copied as a text that says where to go, and whom to invite", async () => {
    await using service = new Service()
    await service.start()
    await using alice = await registered("alice", service)
    await alice.page.evaluate(() => {
      Object.defineProperty(navigator, "clipboard", {
        value: { writeText: async (text: string) => Object.assign(globalThis, { copied: text }) },
      })
    })
    await alice.page.getByRole("link", { name: "You: name, key and devices" }).click()
    await alice.page.getByRole("button", { name: "Copy an invitation" }).click()
    await alice.page.getByRole("button", { name: "Invitation copied" }).waitFor()
    const copied = await alice.page.evaluate(() => (globalThis as unknown as { readonly copied: string }).copied)
    assert.equal(copied, `Write to me on Conclave: open ${service.address} and invite “alice”.`)
  })
})

describe("notifications", { skip: noBrowser, timeout: 150_000 }, () => {
  it("are asked for by a click, tell nothing unless it is wished, and only while nobody looks", async () => {
    await using service = new Service()
    await service.start()
    await using alice = await registered("alice", service)
    await alice.page.context().grantPermissions(["notifications"])
    await spy(alice)
    const bob = await openPerson(service, "bob")
    await alice.createConversation("team", "bob")
    const team = await joined(bob, "team")
    const said = async (text: string) => {
      await team.send(text)
      await alice.message(text).waitFor({ state: "attached" })
    }
    await hide(alice, "hidden")
    await said("nobody has asked for it")
    await hide(alice, "visible")
    await alice.page.getByRole("button", { name: "Settings" }).click()
    await settings(alice).getByLabel("Notify me of new messages").click()
    await settings(alice).getByRole("button", { name: "Done" }).click()
    await said("somebody looks")
    assert.deepEqual(await shownBy(alice), [])
    await hide(alice, "hidden")
    await said("a secret")
    await eventually(async () => assert.equal((await shownBy(alice)).length, 1))
    const [first] = await shownBy(alice)
    assert.deepEqual([first?.title, first?.body], ["Conclave", "You have a new message."])
    await hide(alice, "visible")
    await alice.page.getByRole("button", { name: "Settings" }).click()
    await settings(alice).getByLabel("Show who wrote, and what").click()
    await settings(alice).getByRole("button", { name: "Done" }).click()
    await hide(alice, "hidden")
    await said("less of a secret")
    await eventually(async () => assert.equal((await shownBy(alice)).length, 2))
    const second = (await shownBy(alice))[1]
    assert.deepEqual([second?.title, second?.body], ["bob in team", "less of a secret"])
    await alice.page.getByRole("button", { name: "Mute", exact: true }).click()
    await said("muted")
    await alice.say("my own")
    await alice.message("my own", "sent").waitFor()
    assert.equal((await shownBy(alice)).length, 2)
    await bob.close()
    assert.deepEqual(alice.complaints, [])
  })
})

describe("sign out and delete", { skip: noBrowser, timeout: 150_000 }, () => {
  const open = async (person: Person) => {
    await person.page.getByRole("button", { name: "Settings" }).click()
    await person.page.getByRole("button", { name: "Sign out and delete…" }).click()
    return person.page.getByRole("dialog", { name: "Sign out and delete?" })
  }
  const kept = (person: Person) =>
    person.page.evaluate(async () => ({
      databases: (await indexedDB.databases()).map(({ name }) => name),
      storage: Object.keys(localStorage),
      caches: await caches.keys(),
      workers: (await navigator.serviceWorker.getRegistrations()).length,
    }))

  it("says what it deletes, and deletes all that the page has kept and nothing of others", async () => {
    await using service = new Service()
    await service.start()
    await using alice = await registered("alice", service)
    await alice.createConversation("notes")
    await alice.say("a secret")
    await alice.message("a secret", "sent").waitFor()
    await alice.isKept()
    await alice.page.evaluate(async () => {
      localStorage.setItem("another.application", "1")
      await caches.open("another application")
    })
    const before = await kept(alice)
    assert.ok(before.databases.length >= 3 && before.storage.length >= 2 && before.workers === 1)
    const dialog = await open(alice)
    await dialog.getByText("Deleted from this browser, for good:").waitFor()
    assert.deepEqual(await audit(alice.page), [])
    await looks(alice, "forget")
    await dialog.getByRole("button", { name: "Cancel" }).click()
    assert.deepEqual(await kept(alice), before)
    await alice.page.getByRole("button", { name: "Done" }).click()
    await (await open(alice)).getByRole("button", { name: "Delete", exact: true }).click()
    await alice.page.getByRole("heading", { name: "Deleted" }).waitFor()
    await looks(alice, "forgotten")
    assert.deepEqual(await kept(alice), {
      databases: [],
      storage: ["another.application"],
      caches: ["another application"],
      workers: 0,
    })
    await alice.page.getByRole("button", { name: "Start again" }).click()
    await alice.page.getByRole("button", { name: "Take this name" }).waitFor()
    await alice.register()
    await alice.page.getByText("The name alice is taken: choose another one.").waitFor()
    assert.deepEqual(alice.complaints, [])
  })

  it("erases the name at the service where that is wished, and otherwise deletes nothing when it cannot", async () => {
    await using service = new Service()
    await service.start()
    await using alice = await registered("alice", service)
    const dialog = await open(alice)
    await dialog.getByLabel("Also erase the name alice at the service").click()
    await service.stop()
    await dialog.getByRole("button", { name: "Delete", exact: true }).click()
    await dialog.getByRole("alert").waitFor({ timeout: 40_000 })
    assert.ok((await kept(alice)).databases.length >= 3)
    await service.start()
    await dialog.getByRole("button", { name: "Delete", exact: true }).click()
    await alice.page.getByRole("heading", { name: "Deleted" }).waitFor({ timeout: 40_000 })
    assert.deepEqual((await kept(alice)).databases, [])
    const bob = await openPerson(service, "bob")
    assert.deepEqual(await bob.devices("alice"), [])
    await bob.close()
  })
})

async function looks(person: Person, name: string): Promise<void> {
  for (const width of [1280, 390]) {
    await person.page.setViewportSize({ width, height: width < 760 ? 844 : 800 })
    for (const colorScheme of ["light", "dark"] as const) {
      await showOn(person.page, { colorScheme })
      await person.screenshot(`${name}-${colorScheme}-${width}`)
    }
  }
  await showOn(person.page, { colorScheme: "light" })
  await person.page.setViewportSize({ width: 1280, height: 800 })
}
