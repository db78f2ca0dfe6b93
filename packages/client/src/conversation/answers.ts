import { decode } from "@conclave/codec"
import { DecodeError, RuleError } from "@conclave/mls"
import { GivenUp, recordKeys } from "../records/records.js"
import { type DeliveryAnswer, refusalOf } from "../service/delivery.js"
import { hearKnocks, onLetInFailed } from "./answering.js"
import { onCommitAnswer, onCommitJudged, onMade, reachAccepted } from "./committing.js"
import { enter, onEntered, onPageToAnswer } from "./entering.js"
import { onProbe, onServiceAnswer } from "./heads.js"
import { onClaimed, onDevices, onInvitationJudged } from "./inviting.js"
import { onAnswerFound, onHeadForKnock, onKnockAnswer } from "./knocking.js"
import { leftAlone, onLeaveAnswer } from "./leaving.js"
import { followCommit, onOpened, onPage } from "./log.js"
import { placePassed, wasSkipped } from "./messages.js"
import { isUnknown, refusedAsMissing } from "./missing.js"
import type { Answered, Answers, Next, QuestionOf } from "./question.js"
import { unobstructed } from "./recovery.js"
import { onAgainAnswer, onRewindPage } from "./restored.js"
import { defer, loseRace, mayPass, refusal } from "./sending.js"
import { loadChain, restoreGroup, type Turn } from "./turn.js"
import { describeWish } from "./wishes.js"

/** What an answer means for the conversation that asked. */
export function onAnswer(turn: Turn, answered: Answered): Next {
  const { state, moment } = turn
  switch (answered.to) {
    case "group": {
      const { group, givenUp, chain } = answered.answer
      if (group.length > 0 && state.group === undefined) {
        loadChain(state.chain, chain, moment)
        state.group = restoreGroup(moment, group, recordKeys.group(state.key))
        state.givenUp = givenUp === undefined ? [] : decode(GivenUp, givenUp)
      }
      // It is shown as it was stored, before anything is followed.
      return { type: "more" }
    }
    case "reload":
    case "more":
    case "unavailable":
      return "again"
    case "read":
      return state.entering === undefined ? onPage(turn, answered.answer) : onPageToAnswer(turn, answered.answer)
    case "head":
      if (state.facts.status === "recovering") return onHeadForKnock(turn, answered.answer)
      state.position.learnLastCommit(answered.answer?.lastCommitSeq)
      turn.moved()
      return "again"
    case "service":
      if (state.facts.status === "recovering") return onHeadForKnock(turn, answered.answer)
      return onServiceAnswer(turn, answered.answer)
    case "kept":
      state.kept.load(moment.identity.suite, answered.answer)
      return "again"
    case "told":
      state.told.load(moment.identity, answered.answer)
      return "again"
    case "rewind":
      return onRewindPage(turn, answered.answer)
    case "probe":
      return onProbe(turn, answered.answer)
    case "knocks":
      // Whoever asks does not wait for others to answer.
      hearKnocks(state, answered.answer, 0)
      return "again"
    case "answer":
      return onAnswerFound(turn, answered.answer)
    case "retire":
      return leftAlone(turn, answered.answer)
    case "devices":
      onDevices(turn, answered.question.wish, answered.answer)
      return "again"
    case "claim":
      onClaimed(turn, answered.question, answered.answer)
      return "again"
    case "judge":
      return onJudged(turn, answered.question, answered.answer)
    case "make":
      return onMakeAnswer(turn, answered.answer)
    case "open":
      return onOpened(turn, answered.question, answered.answer)
    case "enter":
      return onEntered(turn, answered.question, answered.answer)
    case "send":
      return onSent(turn, answered.question, answered.answer)
  }
}

function onMakeAnswer(turn: Turn, answer: Answers["make"]): Next {
  const { making } = turn.state
  turn.state.making = undefined
  if (making === undefined) throw new TypeError("a commit was made for nothing")
  const isKnocked = making.add.some((it) => "answer" in it)
  const { failure } = answer as { readonly failure?: unknown }
  if (isKnocked && (failure instanceof RuleError || failure instanceof DecodeError))
    return onLetInFailed(turn, making.add)
  return onMade(turn, making, answer)
}

function onJudged(turn: Turn, { wish }: QuestionOf<"judge">, judgement: Answers["judge"]): Next {
  const { staged } = turn.state
  if (wish !== undefined) onInvitationJudged(turn, wish, judgement)
  else if (staged?.type === "commit") return onCommitJudged(turn, judgement)
  else if (staged?.type === "entering") enter(turn, judgement)
  else followCommit(turn, judgement)
  return "again"
}

function onSent(turn: Turn, { sent }: QuestionOf<"send">, answer: Answers["send"]): Next {
  switch (sent.of) {
    case "create":
      return onCreateAnswer(turn, sent.wish, answer)
    case "message":
      return onMessageAnswer(turn, sent.wish, answer)
    case "leave":
      return onLeaveAnswer(turn, sent.wish, answer)
    case "commit":
      return onCommitAnswer(turn, answer)
    case "again":
      return onAgainAnswer(turn)
    case "knock":
      return onKnockAnswer(turn, answer)
  }
}

function onCreateAnswer(turn: Turn, number: number, answer: DeliveryAnswer): Next {
  if (answer.type === "done") {
    turn.fulfil(number)
    turn.update({ status: "active" })
    return "again"
  }
  turn.failAll({ code: "REFUSED", reason: `the service refused the conversation: ${refusalOf(answer)}` })
  turn.dropGroup()
  turn.update({ status: "left" })
  return "again"
}

function onMessageAnswer(turn: Turn, number: number, answer: DeliveryAnswer): Next {
  const { state } = turn
  const wish = state.wishes.get(number)
  if (wish?.type !== "message" || wish.outgoing === undefined) return "again"
  if (answer.type === "accepted") {
    if (answer.seq <= state.position.cursor && !wasSkipped(state, wish.outgoing)) {
      // This device has read what is there, and it is something else.
      state.position.doubtHead()
      return { type: "unavailable", reason: "the service says that a message is where its log has another one" }
    }
    if (state.obstacle.type === "deferred" && state.obstacle.of === "message") state.obstacle = unobstructed
    turn.putWish(number, { ...wish, acceptedSeq: answer.seq })
    placePassed(turn)
    reachAccepted(turn, { kind: "application", sent: wish.outgoing, answer })
    return "again"
  }
  if (answer.type === "stale") return loseRace(turn, wish.outgoing)
  if (isUnknown(answer)) return refusedAsMissing(turn)
  if (mayPass(answer)) return defer(turn, answer, { of: "message", wishes: [describeWish(wish).wish] })
  turn.fail(number, refusal(answer))
  return "again"
}
