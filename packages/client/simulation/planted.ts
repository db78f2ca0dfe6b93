import type { Lie } from "./ledger.js"
import type { Plan } from "./plan.js"
import { gatewayBugs } from "./planted-gateways.js"

/** Text of a compiled module, and what takes its place. */
export interface Change {
  /** Default: the SDK. */
  readonly of?: ChangedPart
  /** From its compiled sources. */
  readonly file: string
  readonly find: string
  readonly replace: string
}

/** What can be changed, and where its compiled sources are. */
export const changedParts = {
  client: new URL("../src/", import.meta.url).href,
  delivery: new URL("../../../delivery/dist/src/", import.meta.url).href,
  mls: new URL("../../../mls/dist/src/", import.meta.url).href,
  simulation: new URL("./", import.meta.url).href,
} as const
export type ChangedPart = keyof typeof changedParts

/** A fault that is planted to see whether it is found: in the SDK, the gateways, the models of stores, or what a service promises. */
export interface Bug {
  readonly name: string
  readonly changes?: readonly Change[]
  readonly lie?: Lie
  /**
   * Plans that run the changed code. Others are counted and not run: they end as they do without the bug. Without: all.
   */
  readonly matters?: (plan: Plan) => boolean
  /** The plan in `found.ts` that shows it: chance brings it about in one of hundreds of seeds. */
  readonly kept?: string
}

const change = (file: string, find: string, replace: string): Change => ({ file, find, replace })

const lies: readonly Lie[] = [
  "loses an acknowledged append",
  "takes two commits for one place",
  "shows a Welcome before its commit",
  "hands a key package out twice",
  "shows other bytes to some",
  "keeps a Welcome back",
]

export const bugs: readonly Bug[] = [
  {
    name: "a ratchet is not stored before what it encrypted is sent",
    changes: [
      change("conversation/messages.js", "turn.saveGroup();\n    return encryptedWish", "return encryptedWish"),
    ],
  },
  {
    name: "an event is stored after the cursor",
    changes: [
      change(
        "device/driver.js",
        "transaction.emit(effect.event);",
        "transaction.after(() => void this.means.transactions.run(undefined, (it) => it.emit(effect.event)).catch(() => {}));",
      ),
    ],
  },
  {
    name: "a commit that is made again goes under the idempotency id of the one that was stale",
    changes: [
      change(
        "conversation/committing.js",
        "outgoing(targetOf(state), append, moment.random)",
        "outgoing(targetOf(state), append, (size) => moment.identity.deviceId.slice(0, size).map((byte, at) => at > 0 ? byte : (changes.fulfils[0] ?? 0)))",
      ),
    ],
  },
  {
    name: "an invitation takes a key package that was used",
    changes: [
      change(
        "device/asking.js",
        "keyPackage = await delivery.claimKeyPackage(device.deviceId, cipherSuite, signal)",
        "keyPackage = (delivery.claimed ??= new Map()).get(String(device.deviceId)) ?? (delivery.claimed.set(String(device.deviceId), await delivery.claimKeyPackage(device.deviceId, cipherSuite, signal)), delivery.claimed.get(String(device.deviceId)))",
      ),
    ],
  },
  {
    name: "events are numbered again after an opening",
    changes: [
      change(
        "device/open.js",
        "const stored = await loadProfile(store);",
        "const stored = await loadProfile(store).then((it) => it && { ...it, nextEvent: it.nextEvent > 1n ? it.nextEvent - 1n : 1n });",
      ),
    ],
  },
  {
    name: "a wish that has come true stays on the disk",
    changes: [change("conversation/turn.js", "this.delete(recordKeys.wish(this.state.key, number));", "")],
  },
  {
    name: "an own message is placed before the log has been read up to it",
    changes: [
      change("conversation/messages.js", "seq === undefined || seq > position.cursor", "seq === undefined"),
      change("conversation/messages.js", "if (wasSkipped(turn.state, sent))", "if (true)"),
      change("conversation/committing.js", "seq !== state.position.cursor + 1n", "true"),
    ],
  },
  {
    name: "an own message is placed twice",
    changes: [
      change(
        "conversation/messages.js",
        'turn.emit({ type: "sent"',
        'turn.emit({ type: "sent", conversation: turn.state.id, seq: place.seq, payload: wish.payload });\n    turn.emit({ type: "sent"',
      ),
    ],
  },
  {
    name: "a reload keeps what was staged",
    changes: [change("device/loading.js", "state.staged = undefined;", "")],
  },
  {
    name: "a commit is sent before it is stored",
    changes: [
      change(
        "conversation/turn.js",
        "this.#putOrDelete(recordKeys.commit(state.key), OutgoingCommit, commit);",
        "if (commit === undefined) this.delete(recordKeys.commit(state.key));",
      ),
    ],
  },
  {
    name: "the cursor of the inbox is not stored with the joining",
    changes: [
      change(
        "device/inbox.js",
        "moveOn(transaction, entry);\n            if (used !== undefined)\n                stock.enter(transaction, used, told?.commit);\n            transaction.after",
        "transaction.after",
      ),
    ],
  },
  {
    name: "newcomers are not told the title",
    changes: [change("conversation/messages.js", "if (titleDueSince === undefined)", "if (true)")],
  },
  {
    name: "newcomers are not told a title from before they came",
    kept: "a title from before newcomers came was never told to them",
    changes: [change("conversation/messages.js", "isLate ? turn.state.epoch : isDue", "isDue")],
  },
  {
    name: "nobody lets a member go",
    changes: [change("conversation/leaving.js", "departures.length === 0 ||", "true ||")],
  },
  {
    name: "a member is let go when a clock that was set back says so",
    kept: "a member whose clock was set back did not let another one go",
    changes: [change("conversation/leaving.js", "if (Number(since) > moment.now)", "if (false)")],
  },
  {
    name: "a transaction that failed and has happened is taken for one that has not",
    kept: "a transaction that failed and has happened left calls without an answer",
    changes: [change("store/sealed.js", "if (!(await this.#hasHappened(sealed)))", "if (true)")],
  },
  {
    name: "what a commit fulfils is wished again",
    changes: [change("conversation/log.js", "turn.fulfil(Number(number));", "{}")],
  },
  {
    name: "a timer is the platform's",
    changes: [change("device/runner.js", "(this.#options.timers ?? platformTimers).after", "platformTimers.after")],
  },
  {
    name: "a step remembers something beside its state",
    changes: [
      change(
        "conversation/messages.js",
        "messageId: random(16)",
        "messageId: random(16).map((byte, at) => at > 0 ? byte : (globalThis.planted = ((globalThis.planted ?? 0) + 1) % 256))",
      ),
    ],
  },
  {
    name: "what waits is lost where a conversation goes on in a new group",
    changes: [change("device/continuations.js", "waiting.map(([, { payload }]) => payload)", "[]")],
  },
  {
    name: "a pending commit that was restored loses its secret",
    kept: "a commit of somebody who was alone then did not come back from the disk twice",
    changes: [
      {
        of: "mls",
        file: "group/transition.js",
        find: "committed.firstPathSecret.slice()",
        replace: "committed.firstPathSecret",
      },
    ],
  },
  ...gatewayBugs,
  ...lies.map((lie) => ({ name: `the service ${lie}`, lie })),
]

/** Of a compiled module. */
export const urlOf = ({ of = "client", file }: Change) => changedParts[of] + file

/** How the compiled `text` of a module reads with the changes for it. @throws Error where it does not have the text once */
export function withChanges(url: string, text: string, changes: readonly Change[]): string {
  return replaced(
    url,
    text,
    changes.filter((it) => urlOf(it) === url),
  )
}

/** @throws Error where the text of `url` does not have each of what is to be found once */
export function replaced(url: string, text: string, changes: readonly Pick<Change, "find" | "replace">[]): string {
  let changed = text
  for (const it of changes) {
    if (changed.split(it.find).length !== 2) throw new Error(`${url} does not have this once: ${it.find}`)
    changed = changed.replace(it.find, () => it.replace)
  }
  return changed
}
