import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { noBrowser, Person } from "./person.js"
import { Service } from "./service.js"

describe("a file that is dropped or pasted", { skip: noBrowser, timeout: 150_000 }, () => {
  it("does not take the page away, and the page says that it was not sent", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open()
    await alice.register()
    await alice.page.getByRole("button", { name: "Settings" }).waitFor()
    const drop = (type: "drop" | "dragover" | "paste", text?: string) =>
      alice.page.evaluate(
        ([name, also]) => {
          const files = new DataTransfer()
          files.items.add(new File(["x"], "picture.png", { type: "image/png" }))
          if (also !== undefined) files.setData("text/plain", also)
          const init = { bubbles: true, cancelable: true }
          const event =
            name === "paste" ? new ClipboardEvent(name, init) : new DragEvent(name, { ...init, dataTransfer: files })
          // Firefox lets nobody give it to a new event.
          if (name === "paste") Object.defineProperty(event, "clipboardData", { value: files })
          return document.body.dispatchEvent(event)
        },
        [type, text] as const,
      )
    assert.equal(await drop("dragover"), false)
    assert.equal(await alice.page.getByText("Files cannot be sent yet.").count(), 0)
    assert.equal(await drop("drop"), false)
    await alice.page.getByText("Files cannot be sent yet.").waitFor()
    assert.equal(await drop("paste"), false)
    assert.equal(await drop("paste", "a table"), true, "as text it is pasted")
    await alice.screenshot("files-light")
  })
})

describe("Enter", { skip: noBrowser, timeout: 150_000 }, () => {
  it("sends nothing where it ends a character that an input method makes", async () => {
    await using service = new Service()
    await service.start()
    await using alice = new Person("alice", service.address)
    await alice.open()
    await alice.register()
    await alice.createConversation("notes")
    const field = alice.page.getByLabel(/^Message to/)
    await field.fill("文")
    const press = (init: { readonly isComposing?: boolean; readonly keyCode?: number }) =>
      field.evaluate(
        (it, how) =>
          it.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", cancelable: true, bubbles: true, ...how })),
        init,
      )
    // Most browsers say so while they compose; Safari after it, by the key's code alone.
    assert.equal(await press({ isComposing: true }), true)
    assert.equal(await press({ keyCode: 229 }), true)
    assert.equal(await field.inputValue(), "文")
    assert.equal(await press({ keyCode: 13 }), false)
    await alice.message("文", "sent").waitFor()
  })
})
