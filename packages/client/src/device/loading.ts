import { decode } from "@conclave/codec"
import { notKnocked } from "../conversation/recovery.js"
import { noFacts, notContinued, type Setting, type State, startOfLog } from "../conversation/state.js"
import { loadChain, restoreGroup } from "../conversation/turn.js"
import {
  Continuation,
  ConversationState,
  GivenUp,
  OutgoingCommit,
  recordKeys,
  StoredEntrance,
  StoredInterval,
  StoredKnock,
  Unapproved,
  Wish,
} from "../records/records.js"
import type { SealedStore } from "../store/sealed.js"

/**
 * Reads what is stored of a conversation into `state`: at the opening, and when a step could not be stored. The group is
 * restored if it was in memory. What was staged, and the question that waits, are forgotten.
 */
export async function loadState(state: State, store: SealedStore, setting: Setting): Promise<void> {
  const { key } = state
  const numberOf = (name: string) => Number(name.slice(name.lastIndexOf("/") + 1))
  const isGroupWanted = state.group !== undefined
  const record = await store.get(recordKeys.state(key))
  await state.outline.load(store, key)
  const unapproved = await store.get(recordKeys.unapproved(key))
  const group = isGroupWanted ? await store.list(recordKeys.group(key)) : []
  const chain = isGroupWanted ? await store.list(recordKeys.chain(key)) : []
  const givenUp = isGroupWanted ? await store.get(recordKeys.givenUp(key)) : undefined
  const wishes = await store.list(recordKeys.wishes(key))
  const commit = await store.get(recordKeys.commit(key))
  const entrance = await store.get(recordKeys.entrance(key))
  const knock = await store.get(recordKeys.knock(key))
  const continuation = await store.get(recordKeys.continuation(key))
  const intervals = await store.list(recordKeys.intervals(key))

  state.group?.[Symbol.dispose]()
  state.group = group.length === 0 ? undefined : restoreGroup(setting, group, recordKeys.group(key))
  state.givenUp = givenUp === undefined ? [] : decode(GivenUp, givenUp)
  if (record === undefined) {
    state.facts = noFacts
    state.position.reload(startOfLog)
  } else {
    const { version: _, cursor, chainHash, lastCommit, ...facts } = decode(ConversationState, record)
    state.facts = facts
    state.position.reload({ cursor, chainHash, lastCommit })
  }
  state.chain.forget()
  state.kept.forget()
  state.told.forget()
  state.rewinding = undefined
  loadChain(state.chain, chain, setting)
  state.unapproved = unapproved === undefined ? [] : decode(Unapproved, unapproved)
  state.commit = commit === undefined ? undefined : decode(OutgoingCommit, commit)
  state.entrance = entrance === undefined ? undefined : decode(StoredEntrance, entrance)
  state.knock = knock === undefined ? undefined : decode(StoredKnock, knock)
  state.continuation = continuation === undefined ? notContinued : decode(Continuation, continuation)
  state.knocking = notKnocked
  state.entering = undefined
  state.intervals.load(
    setting.identity.suite,
    intervals.map(([name, interval]) => [numberOf(name), decode(StoredInterval, interval)] as const),
  )
  state.wishes.load(wishes.map(([name, wish]) => [numberOf(name), decode(Wish, wish)] as const))
  state.staged = undefined
  state.making = undefined
  state.inviting.clear()
  state.asking = undefined
  state.asked++
}
