import type { Proposed, Step } from "./scripts.js"

const STEPS = 20
const MEMBERS_MAX = 24

/**
 * A long life of a group: in each epoch some propose updates, additions and removals, somebody else commits them with
 * further ones by value, now and then somebody joins from outside or comes back. The same for the same seed.
 */
export function deepScript(seed: number): Step[] {
  const random = generator(seed)
  const below = (count: number) => Math.floor(random() * count)
  const steps: Step[] = [{ do: "createGroup", by: "actor0" }]
  let members = ["actor0"]
  let actors = 1
  const put = (step: Step) => steps.push(step) - 1
  const newcomers = (count: number) => {
    const names = Array.from({ length: count }, () => `actor${actors++}`)
    return { names, adds: names.map((by): Proposed => ({ type: "add", keyPackage: put({ do: "keyPackage", by }) })) }
  }
  for (let epoch = 0; epoch < STEPS; epoch++) {
    if (members.length > 2 && random() < 0.15) {
      const returns = random() < 0.5
      const by = members[below(members.length)]!
      const others = members.filter((name) => name !== by)
      const joiner = returns ? others[below(others.length)]! : `actor${actors++}`
      const staying = others.filter((name) => name !== joiner)
      put({ do: "externalJoin", by, joiner, members: staying, replaceSelf: returns })
      if (!returns) members.push(joiner)
      continue
    }
    const shuffled = members.toSorted(() => random() - 0.5)
    const committer = shuffled[0]!
    const removed = shuffled.slice(1, 1 + below(Math.floor(members.length * 0.3) + 1))
    const updating = shuffled.slice(1 + removed.length).filter(() => random() < 0.3)
    const { names, adds } = newcomers(below(Math.max(1, Math.min(6, MEMBERS_MAX - members.length))))
    const remaining = members.filter((name) => !removed.includes(name))
    const changes = [...adds, ...removed.map((member): Proposed => ({ type: "remove", member }))]
    const refs = updating.map((by) => put({ do: "propose", by, type: "update" }))
    const values: Proposed[] = []
    for (const change of changes) {
      const by = remaining[below(remaining.length)]!
      if (random() < 0.5) values.push(change)
      else refs.push(put({ do: "propose", by, ...change }))
    }
    const following = remaining.filter((name) => name !== committer)
    put({ do: "commit", by: committer, refs, values, members: following, joiners: names })
    members = [...remaining, ...names]
  }
  return steps
}

/** Mulberry32: numbers from 0 to below 1 that anybody can repeat. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
