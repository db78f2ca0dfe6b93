import assert from "node:assert/strict"
import {
  dangerouslyAcceptAll,
  decodeKeyPackage,
  type Group,
  type GroupOptions,
  type KeyPackage,
  type Proposal,
  RuleError,
  type RuleId,
} from "@conclave/mls"
import { follow, groupOf, keyPackageOf, type Person, person } from "../group-fixture.js"
import { Insider } from "./insider.js"

/** Alice listens, Bob is as honest as she is, Mallory is a member too. */
export interface Scene {
  readonly people: readonly [alice: Person, bob: Person, mallory: Person, ...Person[]]
  readonly alice: Group
  readonly bob: Group
  readonly mallory: Insider
  readonly groups: readonly Group[]
}

export function scene(extra: Partial<GroupOptions> = {}, names = ["alice", "bob", "mallory"]): Scene {
  const { people, groups } = groupOf(names, 1, extra)
  const [alice, bob, mallory] = groups as [Group, Group, Group]
  return {
    people: people as [Person, Person, Person],
    alice,
    bob,
    mallory: new Insider(people[2]!, mallory),
    groups,
  }
}

/** Everybody has come along; Mallory knows what her group knows now. */
export const refreshed = ({ people, groups }: Pick<Scene, "people" | "groups">): Insider =>
  new Insider(people[2], groups[2]!)

export const stored = (group: Group): [string, string][] =>
  [...group.records()]
    .map(([key, bytes]): [string, string] => [key, Buffer.from(bytes).toString("hex")])
    .sort(([a], [b]) => (a < b ? -1 : 1))

/** Sees the rule broken, and nothing else. */
export function breaks(id: RuleId, action: () => unknown): void {
  assert.throws(action, (error) => {
    if (!(error instanceof RuleError)) throw error
    assert.equal(error.rule, id)
    return true
  })
}

/** Alice refuses Mallory's message by this rule, is none the worse for it, and understands Bob's next commit. */
export function refuses({ alice, bob }: Pick<Scene, "alice" | "bob">, message: Uint8Array, id: RuleId): void {
  const before = stored(alice)
  breaks(id, () => alice.receive(message))
  assert.deepEqual(stored(alice), before, "refusing has changed the group")
  understands(alice, bob)
}

/** Our own wish breaks the rule; nothing has changed, and the next one is granted. */
export function declines(group: Group, id: RuleId, wish: () => unknown): void {
  const before = stored(group)
  breaks(id, wish)
  assert.deepEqual(stored(group), before, "declining has changed the group")
  if (!group.active) return
  const commit = group.commit()
  group.discardPending()
  assert(commit.message.length > 0)
}

/** Bob commits, Alice follows, both are in the same epoch. */
export function understands(alice: Group, bob: Group): void {
  const { message } = bob.commit()
  follow(bob, message)
  follow(alice, message)
  assert.deepEqual(alice.epochAuthenticator, bob.epochAuthenticator)
}

/** A key package of a new person, as it stands in an Add. */
export function newcomer(name = "eve", extra: Partial<GroupOptions> = {}): { who: Person; keyPackage: KeyPackage } {
  const who = person(name, 1, extra)
  return { who, keyPackage: decodeKeyPackage(keyPackageOf(who).keyPackage) }
}

export const addOf = (keyPackage: KeyPackage): Proposal => ({ type: "add", keyPackage })

/** Applies a commit of our own. */
export function settle(group: Group, commit: ReturnType<Group["commit"]>): void {
  group.apply(commit, dangerouslyAcceptAll(commit.claims))
}
