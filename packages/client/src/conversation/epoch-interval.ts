import type { Entry } from "@conclave/contracts/delivery"
import { equalBytes } from "@conclave/crypto"
import type { CipherSuite, Exporter, Group, StagedCommit } from "@conclave/mls"
import { INTERVAL_LABEL, IntervalKeys } from "../access/interval-keys.js"
import type { State } from "./state.js"

/** The interval that begins with an epoch, by its exporter (RFC 9420 §8.5). */
export function intervalOf(suite: CipherSuite, groupId: Uint8Array, exported: Exporter): IntervalKeys {
  return new IntervalKeys(suite, exported({ label: INTERVAL_LABEL, context: groupId, length: suite.secretSize }))
}

/** The interval that begins with a group's present epoch. */
export function intervalIn(group: Group): IntervalKeys {
  return intervalOf(group.suite, group.id, ({ label, context, length }) => group.exportSecret(label, context, length))
}

/** The interval that begins with the epoch which a commit leads to. */
export function intervalAfter({ id, group }: State, suite: CipherSuite, staged: StagedCommit): IntervalKeys {
  return intervalOf(suite, id, ({ label, context, length }) => group!.exportSecretAfter(staged, label, context, length))
}

/**
 * Whether a commit registers what it has to: a key if and only if it has a path, and says by it whether it removes
 * somebody. Every member sees the same. Conversations from before there were keys have none until the first is registered.
 */
export function breaksRegistration(state: State, { begins }: Entry, staged: StagedCommit): string | undefined {
  if (begins === undefined) {
    const isMissing = staged.path && state.intervals.newest !== undefined
    return isMissing ? "it renews keys, and registers no key of its interval" : undefined
  }
  if (!staged.path) return "it registers a key of an interval, and begins none"
  const removes = staged.removals.length > 0
  if (begins.removes !== removes) return `it says that it removes ${begins.removes ? "somebody" : "nobody"}`
  return undefined
}

/** The interval that a commit begins, or `false` where the key that it registers is another. Not for who is removed. */
export function intervalBegun(
  state: State,
  suite: CipherSuite,
  { entry, staged }: { readonly entry: Entry; readonly staged: StagedCommit },
): IntervalKeys | false | undefined {
  if (entry.begins === undefined || staged.selfRemoved) return undefined
  const keys = intervalAfter(state, suite, staged)
  return equalBytes(keys.accessKey, entry.begins.accessKey) && keys
}
