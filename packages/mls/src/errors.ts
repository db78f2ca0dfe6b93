import { DecodeError } from "@conclave/codec"
import type { LeafIndex } from "./indexes.js"
import { type Rule, type RuleId, rules, type SeenBy } from "./rules.js"

export { DecodeError }

/** A message or a wish that breaks a MUST of RFC 9420; `rule` is its id in `rules.ts`. */
export class RuleError extends Error {
  override readonly name = "RuleError"
  readonly code = "RULE_VIOLATED"
  readonly rule: RuleId
  /** The member whose signature on the message has been verified: whose fault it is, beyond doubt. */
  readonly sender: LeafIndex | undefined
  /** See {@link seenBy}. */
  readonly seenBy: SeenBy
  readonly #detail: string | undefined

  /** `detail` must not contain secrets. */
  constructor(rule: RuleId, detail?: string, sender?: LeafIndex) {
    super(`${rules[rule].text} (${rule}, RFC 9420 §${rules[rule].section})${detail === undefined ? "" : `: ${detail}`}`)
    this.rule = rule
    this.sender = sender
    this.seenBy = (rules[rule] as Rule).seenBy ?? "everybody"
    this.#detail = detail
  }

  /** The same, of a message that this member has sent. */
  by(sender: LeafIndex | undefined): RuleError {
    const error = new RuleError(this.rule, this.#detail, sender)
    error.cause = this
    return error
  }
}

/** Bytes that no key of the group authenticates. One message for all of them: an oracle is worth avoiding. */
export class AuthenticityError extends Error {
  override readonly name = "AuthenticityError"
  readonly code = "NOT_AUTHENTIC"
  /** See {@link seenBy}. All members of an epoch have the same keys and know the same leaf nodes. */
  readonly seenBy: SeenBy = "everybody"

  constructor() {
    super("not authentic")
  }
}

export type StateErrorCode =
  | "WRONG_EPOCH"
  | "GENERATION_SPENT"
  /** The group is in epoch 2⁶⁴ − 1: it can go on talking, but no commit leads further. */
  | "EPOCHS_SPENT"
  /** An application message skips more of its sender's messages than it may now: it can be received later. */
  | "FORWARD_BUDGET_SPENT"
  | "NOT_A_MEMBER"
  | "COMMIT_PENDING"
  | "NO_SUCH_KEY"
  /** A message by this very member that this state has not sent: the state is an old copy. */
  | "STATE_ROLLED_BACK"

/** Of each code, who sees it: what lies in this member's own state says nothing of what others see. */
const stateSeenBy: Readonly<Record<StateErrorCode, SeenBy>> = {
  // Everybody who is in the same epoch. Whoever finds a commit of an epoch ahead may be the one who is behind.
  WRONG_EPOCH: "everybody",
  // Handshake messages are counted in the order in which they come, and come to everybody in the same.
  GENERATION_SPENT: "everybody",
  EPOCHS_SPENT: "everybody",
  NO_SUCH_KEY: "everybody",
  FORWARD_BUDGET_SPENT: "self",
  NOT_A_MEMBER: "self",
  COMMIT_PENDING: "self",
  STATE_ROLLED_BACK: "self",
}

/** The message or the call does not fit the state in which the group is now. */
export class StateError extends Error {
  override readonly name = "StateError"
  readonly code: StateErrorCode
  /** See {@link seenBy}. */
  readonly seenBy: SeenBy
  /** Of `GENERATION_SPENT`: the key is not spent, but too far ahead to be derived. */
  readonly isAhead: boolean

  constructor(code: StateErrorCode, message: string, { isAhead = false }: { readonly isAhead?: boolean } = {}) {
    super(message)
    this.code = code
    this.seenBy = stateSeenBy[code]
    this.isAhead = isAhead
  }
}

/** Something that this implementation or this provider does not have. */
export class UnsupportedError extends Error {
  override readonly name = "UnsupportedError"
  readonly code = "UNSUPPORTED"
  /** See {@link seenBy}. Another implementation may have it. */
  readonly seenBy: SeenBy = "self"

  constructor(feature: string) {
    super(`${feature} is not supported`)
  }
}

export type MlsError = DecodeError | RuleError | AuthenticityError | StateError | UnsupportedError

/**
 * Who sees what is wrong with a commit that `Group.receive` does not take: `everybody` in its epoch, given the same
 * profile, the same policy and the same messages in the same order, so that all can go on as if it had never been sent;
 * or perhaps this member alone, as with a path secret that only this member cannot open (RFC 9420 §16.12).
 *
 * A commit is checked for everything that everybody sees before it is checked for anything else: where this says `self`,
 * no other member has reason to refuse the commit for what all see. What is no {@link MlsError} is a fault of this
 * member's own, and nobody else's.
 */
export function seenBy(error: unknown): SeenBy {
  if (error instanceof DecodeError) return "everybody"
  const isOurs =
    error instanceof RuleError ||
    error instanceof AuthenticityError ||
    error instanceof StateError ||
    error instanceof UnsupportedError
  return isOurs ? error.seenBy : "self"
}

/** RFC 9420: `condition` holds, or the rule is broken. */
export function rule(condition: boolean, id: RuleId, detail?: string): asserts condition {
  if (!condition) throw new RuleError(id, detail)
}

/** Whether `action` breaks no rule. Other errors are passed on. */
export function keepsRules(action: () => unknown): boolean {
  try {
    action()
    return true
  } catch (error) {
    if (error instanceof RuleError) return false
    throw error
  }
}
