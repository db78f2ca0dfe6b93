import { DecodeError } from "@conclave/codec"
import type { LeafIndex } from "./indexes.js"
import { type RuleId, rules } from "./rules.js"

export { DecodeError }

/** A message or a wish that breaks a MUST of RFC 9420; `rule` is its id in `rules.ts`. */
export class RuleError extends Error {
  override readonly name = "RuleError"
  readonly code = "RULE_VIOLATED"
  readonly rule: RuleId
  /** The member whose signature on the message has been verified: whose fault it is, beyond doubt. */
  readonly sender: LeafIndex | undefined
  readonly #detail: string | undefined

  /** `detail` must not contain secrets. */
  constructor(rule: RuleId, detail?: string, sender?: LeafIndex) {
    super(`${rules[rule].text} (${rule}, RFC 9420 §${rules[rule].section})${detail === undefined ? "" : `: ${detail}`}`)
    this.rule = rule
    this.sender = sender
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

  constructor() {
    super("not authentic")
  }
}

export type StateErrorCode =
  | "WRONG_EPOCH"
  | "GENERATION_SPENT"
  /** The group is in epoch 2⁶⁴ − 1: it can go on talking, but no commit leads further. */
  | "EPOCHS_SPENT"
  | "NOT_A_MEMBER"
  | "COMMIT_PENDING"
  | "NO_SUCH_KEY"
  /** A message by this very member that this state has not sent: the state is an old copy. */
  | "STATE_ROLLED_BACK"

/** The message or the call does not fit the state in which the group is now. */
export class StateError extends Error {
  override readonly name = "StateError"
  readonly code: StateErrorCode

  constructor(code: StateErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

/** Something that this implementation or this provider does not have. */
export class UnsupportedError extends Error {
  override readonly name = "UnsupportedError"
  readonly code = "UNSUPPORTED"

  constructor(feature: string) {
    super(`${feature} is not supported`)
  }
}

export type MlsError = DecodeError | RuleError | AuthenticityError | StateError | UnsupportedError

/** RFC 9420: `condition` holds, or the rule is broken. */
export function rule(condition: boolean, id: RuleId, detail?: string): asserts condition {
  if (!condition) throw new RuleError(id, detail)
}
