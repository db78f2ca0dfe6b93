import { type Attack, outcome } from "../attack.js"
import { Person, page } from "../page.js"
import { pause } from "../timing.js"
import { settle, teamOf, tries } from "../world.js"

/** What the page reads of a history at a time. */
const PAGE_SIZE = 60

const hidesMessages: Attack = {
  id: "M13",
  page: true,
  title: "makes the page hide another member's message",
  who: "member",
  async run(world) {
    const { url } = await world.serve({ page, host: "localhost" })
    await using bob = await Person.come(world, url, "bob")
    const mallory = await world.mallory()
    await mallory.publish()
    const alice = await world.open("alice")
    const { id } = await alice.createConversation({ title: "team", members: ["bob", "mallory"] })
    const team = teamOf(id, [alice])
    await mallory.join()
    await settle(alice)
    await bob.accept("alice", "team")
    await tries(team.of("alice"), "the account number is wrong")
    await bob.message("the account number is wrong").waitFor()
    await settle(alice)
    const [first] = await team.of("alice").history({ limit: 1 })
    await mallory.follow()
    // The last page of what was said begins behind Alice's message, and the message's id is in it.
    for (let n = 0; n < PAGE_SIZE; n++) await mallory.say({ text: `never mind ${n}` })
    await mallory.say({ text: "all is well" }, Uint8Array.from(Buffer.from(first!.messageId, "hex")))
    await bob
      .message("all is well")
      .or(bob.message(`never mind ${PAGE_SIZE - 1}`))
      .first()
      .waitFor()
    await bob.page.reload()
    await bob.message("all is well").waitFor()
    const shown = await bob.allMessages()
    const isShown = (words: string) => shown.some((text) => text.includes(words))
    const both = isShown("the account number is wrong") && isShown("all is well")
    const of = isShown("the account number is wrong") ? "with" : "without"
    return outcome(!both, `bob's page shows ${shown.length} messages, ${of} Alice's`)
  },
}

const breaksThePage: Attack = {
  id: "F5",
  page: true,
  title: "breaks the page by the name constructor",
  who: "stranger",
  async run(world) {
    const { url } = await world.serve({ page, host: "localhost" })
    await using bob = await Person.come(world, url, "bob")
    const builder = await world.open("constructor")
    await builder.createConversation({ title: "hello", members: ["bob"] })
    await settle(builder)
    await pause(1_000)
    const opened = await bob.accept("constructor", "hello").then(
      () => true,
      () => false,
    )
    await pause(500)
    const writable = await bob.page.getByLabel(/^Message to/).isVisible()
    return outcome(
      bob.complaints.length > 0 || !opened || !writable,
      `the conversation ${opened && writable ? "opens" : "does not open"}; ${bob.complaints.join("; ") || "no complaints"}`,
    )
  },
}

export const pages: readonly Attack[] = [hidesMessages, breaksThePage]
