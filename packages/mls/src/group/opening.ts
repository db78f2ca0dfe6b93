import { decode } from "@conclave/codec"
import { RuleError, UnsupportedError } from "../errors.js"
import type { Sliced } from "../slices.js"
import { MLSMessage } from "../wire.js"
import type { Epoch } from "./epoch.js"
import type { Opened, ReceiveOptions } from "./incoming.js"
import { stageIn } from "./making.js"
import * as messages from "./messages.js"
import { destroyNext, type GroupState } from "./state.js"
import type { NextEpoch } from "./transition.js"
import type { Received, StagedCommit } from "./types.js"

/** A message that was opened, and has spent nothing yet. */
export interface Opening {
  /** The epoch in which it was opened. */
  readonly basis: Epoch
  /** What the commit leads to, if it is one and not our own. */
  readonly next?: NextEpoch
  /** Spends its key, and says what it says. @throws RuleError */
  readonly take: () => Received
}

/** Our pending commit has come back: there is nothing to open. */
export function ownCommit({ epoch: basis }: GroupState, staged: StagedCommit): Opening {
  return { basis, take: () => ({ type: "commit", staged, own: true }) }
}

/** @throws DecodeError, RuleError, AuthenticityError, StateError, UnsupportedError */
export function* openMessage(state: GroupState, message: Uint8Array, options: ReceiveOptions): Sliced<Opening> {
  const { epoch: basis } = state
  const { registries } = state.environment
  const { wireFormat } = decode(MLSMessage, message, { registries })
  if (wireFormat.type !== "mlsPublicMessage" && wireFormat.type !== "mlsPrivateMessage") {
    throw new UnsupportedError(`${wireFormat.type} as a message of a group`)
  }
  const opened = messages.open(state, wireFormat, options)
  if (opened.type !== "opened") return { basis, take: () => opened }
  const { content, sender } = opened.message
  if (content.content.contentType.type !== "commit") return { basis, take: () => take(state, opened.message) }
  try {
    const { staged, next } = yield* stageIn(state, messages.commitContent(state, content), undefined)
    const spent = (): Received => {
      opened.message.spend()
      return { type: "commit", staged, own: false }
    }
    return { basis, next, take: spent }
  } catch (error) {
    throw error instanceof RuleError ? error.by(sender?.leafIndex) : error
  }
}

/** Overwrites what was computed of a message that is not taken. */
export function destroyOpening({ next }: Opening): void {
  if (next !== undefined) destroyNext(next)
}

/** What an authentic message says that is no commit. */
function take(state: GroupState, message: Opened): Received {
  const { content, sender } = message
  const body = content.content.contentType
  if (body.type === "application") {
    message.spend()
    const { authenticatedData, epoch } = content.content
    return { type: "application", plaintext: body.applicationData, authenticatedData, sender: sender!, epoch }
  }
  try {
    return messages.receiveProposal(state, message)
  } catch (error) {
    throw error instanceof RuleError ? error.by(sender?.leafIndex) : error
  }
}
