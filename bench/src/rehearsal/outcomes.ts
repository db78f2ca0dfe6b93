import { Person, type Said, type Scene, type Team } from "./people.js"

/** Milliseconds of the rehearsal. */
export interface Moments {
  readonly backupFrom: number
  readonly killedAt: number
  readonly servedAt: number
}

interface Counting {
  readonly scene: Scene
  readonly moments: Moments
  /** Of each team, when the service was killed. */
  readonly epochs: readonly bigint[]
  /** That were made after the backup. */
  readonly commits: number
}

const ALARMS = ["contradicted", "missing", "stopped", "lost", "stuck", "rejected", "keyChanged", "service replaced"]

const GROUPS = {
  backed: "acknowledged before the backup began",
  after: "acknowledged after that by the killed service",
  late: "sent before the kill, acknowledged by the restored one",
  down: "sent while there was no service",
  again: "sent to the restored service",
} as const
type Group = keyof typeof GROUPS

interface Counts {
  all: number
  byPartner: number
  byAway: number
  byAuthor: number
}

/** What became of each message, by whose history has it, and of the commits; and what must not be. */
export async function countOutcomes(teams: readonly Team[], { scene, moments, epochs, commits }: Counting) {
  const groups = Object.fromEntries(
    Object.keys(GROUPS).map((name) => [name, { all: 0, byPartner: 0, byAway: 0, byAuthor: 0 }]),
  ) as Record<Group, Counts>
  const faults: string[] = []
  let [unsent, epochsKept] = [0, 0]
  for (const [number, { talkers, away }] of teams.entries()) {
    await using late = await Person.open(away, scene)
    await late.client.sync()
    await Promise.all(talkers.map(({ client }) => client.sync()))
    const [one, two] = talkers
    const histories = await Promise.all([one.texts(), two.texts()])
    const absent = await late.texts()
    for (const [index, { said, failed }] of talkers.entries()) {
      unsent += failed
      for (const message of said) {
        const group = groupOf(message, moments)
        if (group === undefined) continue
        const counts = groups[group]
        counts.all++
        if (histories[index]!.has(message.text)) counts.byAuthor++
        if (histories[1 - index]!.has(message.text)) counts.byPartner++
        if (absent.has(message.text)) counts.byAway++
      }
    }
    const reached = [one, two, late].map(({ conversation }) => conversation.epoch)
    if (reached.every((epoch) => epoch === reached[0] && epoch >= epochs[number]!)) epochsKept++
    else faults.push(`the members of team ${number} are in epochs ${reached.join(", ")}, after ${epochs[number]}`)
    for (const person of [...talkers, late]) {
      const alarms = person.events.filter(({ type }) => ALARMS.includes(type))
      for (const { type } of alarms) faults.push(`${person.name} raised an alarm: ${type}`)
    }
    const restores = talkers.filter(({ events }) => events.some(({ type }) => type === "service restored"))
    if (restores.length < 2) faults.push(`somebody in team ${number} did not notice the restore`)
  }
  for (const group of ["backed", "late", "down", "again"] as const) {
    const { all, byPartner, byAway, byAuthor } = groups[group]
    if (byPartner < all || byAway < all || byAuthor < all) faults.push(`lost of what was ${GROUPS[group]}`)
  }
  if (groups.after.byAuthor < groups.after.all) faults.push("an author's own history lacks a message")
  if (unsent > 0) faults.push(`${unsent} messages failed for good`)
  const rows = [
    ["messages", "all", "author has it", "partner has it", "who was away has it"],
    ...(Object.keys(GROUPS) as Group[]).map((name) => {
      const { all, byAuthor, byPartner, byAway } = groups[name]
      return [GROUPS[name], ...[all, byAuthor, byPartner, byAway].map(String)]
    }),
    [
      `conversations (${commits} with a commit after the backup)`,
      `${teams.length}`,
      `${epochsKept}`,
      `${epochsKept}`,
      `${epochsKept}`,
    ],
  ]
  return { rows, faults }
}

function groupOf({ at, acknowledgedAt }: Said, { backupFrom, killedAt, servedAt }: Moments): Group | undefined {
  if (acknowledgedAt === undefined) return undefined
  if (acknowledgedAt < backupFrom) return "backed"
  // An answer that came before the kill may have been taken from the socket after it.
  if (acknowledgedAt < servedAt) return "after"
  if (at < killedAt) return "late"
  return at < servedAt ? "down" : "again"
}
