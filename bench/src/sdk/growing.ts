import { type Conversation, MemoryProfile, memoryStore } from "@conclave/client/node"
import { median } from "../contest.js"
import { Scene } from "./scene.js"
import { histogram, type Spent, spent } from "./turns.js"

export interface Grown {
  readonly what: string
  /** Milliseconds: medians of the rounds. */
  readonly total: number
  readonly longest: number
  readonly busiest: number
  /** How many turns of the last round were long. */
  readonly turns: string
  readonly isCreation: boolean
}

/** A conversation with so many members is made, one of them enters, as many more are added, and that one follows. */
export async function grown(members: number, rounds: number): Promise<readonly Grown[]> {
  const scene = Scene.apart()
  const names = Array.from({ length: 2 * members }, (_, index) => `member-${index}`)
  const profile = new MemoryProfile()
  // Key packages for each round.
  const options = { live: false, policy: { keyPackages: rounds + 1 } } as const
  for (const name of names) {
    const store = memoryStore(name === names[0] ? profile : undefined)
    await (await scene.open(name, options, store)).client.close()
  }
  const { client: alice } = await scene.open("alice", options)
  const { client: bob } = await scene.open(names[0]!, options, memoryStore(profile))
  const found: Spent[][] = []
  for (let round = 0; round < rounds; round++) {
    let team: Conversation | undefined
    const made = await spent(async () => {
      team = await alice.createConversation({ members: names.slice(0, members) })
      await alice.sync()
    })
    const entered = await spent(() => bob.sync())
    const added = await spent(async () => {
      await team!.invite(...names.slice(members))
      await alice.sync()
    })
    const followed = await spent(() => bob.sync())
    for (const conversation of [team!, bob.conversations.get(team!.id)]) {
      const count = conversation?.members.length
      if (count !== 2 * members + 1) throw new Error(`${count} members instead of ${2 * members + 1}`)
    }
    found.push([made, entered, added, followed])
  }
  await scene.close()
  const what = [
    `made with ${members} members`,
    `entered by one of ${members}`,
    `${members} more added`,
    `followed by one of the first ${members}`,
  ]
  return what.map((text, at) => ({
    what: text,
    total: median(found.map((round) => round[at]!.total)),
    longest: median(found.map((round) => round[at]!.longest)),
    busiest: median(found.map((round) => round[at]!.busiest)),
    turns: histogram(found.at(-1)![at]!),
    isCreation: at === 0,
  }))
}
