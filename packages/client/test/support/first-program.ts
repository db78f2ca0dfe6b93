import { openClient } from "../../src/node.js"

export async function program(service: URL, folder: string, print: (line: string) => void): Promise<void> {
  await using alice = await openClient({ name: "alice", service, profile: `${folder}/alice.db` })
  await using bob = await openClient({ name: "bob", service, profile: `${folder}/bob.db` })

  const team = await alice.createConversation({ title: "team", members: ["bob"] })
  await team.send("hello, bob")

  for await (const event of bob.events()) {
    if (event.type !== "message") continue
    print(`${event.from} says: ${event.text}`)
    print(`${event.conversation.safetyCode("alice").split(" ").length} groups of digits`)
    break
  }
}
