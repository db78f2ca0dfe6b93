import { newcomerExtension } from "../../src/access/newcomer.js"
import { intervalOf } from "../../src/conversation/epoch-interval.js"
import { closingFor } from "../../test/support/insider.js"
import type { Person, Said } from "./person.js"
import { onScene, type Scene, type SceneOptions } from "./scene.js"
import type { Template } from "./template.js"

/** From which moment on, in milliseconds, everybody who is there has sent and received a message of each other. */
export interface Phase {
  readonly online: number
  /** Of those: who could not follow, and who followed all the time. Without a follower, nobody is let in. */
  readonly stuck: number
  readonly followers: number
  /** Since the first honest member who follows was online; `undefined` where it did not happen within an hour. */
  readonly sinceFollower: number | undefined
  /** Since the last one came online. */
  readonly sinceLast: number | undefined
}

export interface Recovered {
  /** While those are away who are away, and a week later when they are back. */
  readonly phases: readonly Phase[]
  /** Acknowledged messages that somebody has not received who could follow, with who it is. */
  readonly lost: readonly string[]
  /** How often a member has not received one that was sent while it was out: it is in no epoch of its own. */
  readonly missed: number
  readonly messages: number
  readonly commits: number
}

/** An insider commits what some can follow and others cannot. */
export function run(template: Template, options: SceneOptions): Promise<Recovered> {
  return onScene(template, options, async (scene) => {
    const said = new Map<string, Said>()
    const accepted = new Map<Person, number>()
    let commits = 0
    scene.onAccepted = (person, { kind, epoch }, { seq }) => {
      if (kind === "commit") commits++
      if (kind !== "application") return
      // A device sends one message after the other, in the order in which they were said.
      const at = accepted.get(person) ?? 0
      accepted.set(person, at + 1)
      const text = person.texts[at]!
      said.set(text, { by: person.name, text, seq, epoch })
    }
    await scene.begin()
    await harm(scene)
    const phases = [await phase(scene, scene.online)]
    const { coming } = await scene.week()
    phases.push(await phase(scene, scene.people, coming))
    const [lost, missed] = await scene.end(() => [[...lostOf(scene, said)], missedOf(scene, said)] as const)
    return { phases, lost, missed, messages: said.size, commits }
  })
}

/** The insider commits with a path that opens for some of the members, and not for others. */
function harm(scene: Scene): Promise<void> {
  const sealed = new Set<string>()
  let closed: ReadonlySet<string> = new Set()
  const choosing = { has: (key: string) => sealed.add(key) && closed.has(key) }
  return scene.harm(closingFor(choosing), async ({ mallory, group }) => {
    const { suite } = group
    const welcomeExtensions: NonNullable<Parameters<typeof group.commit>[0]>["welcomeExtensions"] = (next) => [
      newcomerExtension(intervalOf(suite, group.id, next), undefined),
    ]
    // For whom a path is sealed is known when one has been made.
    group.commit({ welcomeExtensions })
    group.discardPending()
    const keys = [...sealed]
    while (closed.size === 0 || closed.size === keys.length) {
      closed = new Set(keys.filter(() => scene.dice.chance(50)))
    }
    await mallory.commit(group, {})
  })
}

/** Until each of them has heard each other. They come online meanwhile, or are there. */
async function phase(scene: Scene, people: readonly Person[], coming?: Promise<void>): Promise<Phase> {
  const { timeline } = scene
  const begun = timeline.now
  const before = new Map(people.map((person) => [person, person.gaps.filter(isOver).length]))
  const isInVain = () => timeline.now > begun + 60_000 && !people.some(({ gaps }) => gaps.every(isOver))
  const at = await scene.exchange(people, { coming, isInVain })
  const followers = people.filter((person) => person.gaps.length === before.get(person))
  const stuck = people.length - followers.length
  const first = Math.max(begun, Math.min(...followers.map(({ openedAt }) => openedAt)))
  const last = Math.max(begun, ...people.map(({ openedAt }) => openedAt))
  const since = (from: number) => at && at - from
  return {
    online: people.length,
    stuck,
    followers: followers.length,
    sinceFollower: since(first),
    sinceLast: since(last),
  }
}

function missedOf({ people }: Scene, all: ReadonlyMap<string, Said>): number {
  const said = [...all.values()]
  const isMissed = (person: Person) => (it: Said) =>
    it.by !== person.name && !person.heard.has(it.text) && !person.mustHaveHeard(it)
  return people.reduce((sum, person) => sum + said.filter(isMissed(person)).length, 0)
}

function* lostOf({ people }: Scene, all: ReadonlyMap<string, Said>): Generator<string> {
  for (const person of people) {
    for (const text of person.acknowledged) {
      if (!all.has(text)) yield `${text}: not in the log`
    }
    for (const said of all.values()) {
      if (said.by === person.name || !person.mustHaveHeard(said) || person.heard.has(said.text)) continue
      yield `${said.text}: not received by ${person.name}`
    }
  }
}

/** Of a gap: the device is in again. */
const isOver = ({ epoch }: Person["gaps"][number]) => epoch !== undefined
