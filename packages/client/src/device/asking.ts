import type { Sliced } from "@conclave/mls"
import { faultOf } from "../conversation/inviting.js"
import type { Answered, Listed, Question, QuestionOf, Worked } from "../conversation/question.js"
import type { State } from "../conversation/state.js"
import { ClientError } from "../errors.js"
import type { Judge } from "../identity/judge.js"
import { recordKeys } from "../records/records.js"
import { Unavailable } from "../service/call.js"
import { concurrently } from "../service/concurrently.js"
import type { Delivery } from "../service/delivery.js"
import type { Directory } from "../service/directory.js"
import { inSlices, type Slicing } from "../slices.js"
import type { SealedStore } from "../store/sealed.js"
import type { ServiceKeys } from "./service-keys.js"

/** Where the answers come from. */
export interface Sources {
  readonly store: SealedStore
  readonly delivery: Delivery
  readonly directory: Directory
  readonly serviceKeys: ServiceKeys
  readonly judge: Judge
  readonly cipherSuite: number
  readonly slicing: Slicing
  readonly signal: AbortSignal
  /** Reads the conversation from the store again. */
  reload(): Promise<void>
}

/**
 * Finds the answer to a question of a conversation. Rejects with `ClientError` `UNAVAILABLE` where a service does not
 * answer, and `REFUSED` where it answers something else than it was asked.
 */
export async function answerTo(question: Question, { id, key }: State, sources: Sources): Promise<Answered> {
  const { store, delivery, serviceKeys, judge, slicing, signal } = sources
  const page = ({ after, prover }: QuestionOf<"read" | "probe" | "rewind">) =>
    delivery.read(id, after, { prover, signal })
  switch (question.type) {
    case "group": {
      const group = await store.list(recordKeys.group(key))
      const givenUp = await store.get(recordKeys.givenUp(key))
      const chain = await store.list(recordKeys.chain(key))
      return { to: "group", question, answer: { group, givenUp, chain } }
    }
    case "reload":
      await sources.reload()
      return { to: "reload", question, answer: undefined }
    case "more":
      return { to: "more", question, answer: undefined }
    case "read":
      return { to: "read", question, answer: await page(question) }
    case "head":
      return { to: "head", question, answer: await delivery.head(id, { prover: question.prover, signal }) }
    case "service":
      await serviceKeys.ask(signal)
      return { to: "service", question, answer: await delivery.head(id, { prover: question.prover, signal }) }
    case "kept":
      return { to: "kept", question, answer: await store.list(recordKeys.kept(key)) }
    case "told": {
      const { limit } = question
      return { to: "told", question, answer: await store.list(recordKeys.messages(key), { limit, reverse: true }) }
    }
    case "probe":
      return { to: "probe", question, answer: await page(question) }
    case "rewind":
      return { to: "rewind", question, answer: await page(question) }
    case "knocks":
      return { to: "knocks", question, answer: await delivery.knocks(id, { ...question, signal }) }
    case "answer":
      return { to: "answer", question, answer: await delivery.answer(id, question.knock, { ...question, signal }) }
    case "send":
      return {
        to: "send",
        question,
        answer: await delivery.send(question.request, { prover: question.prover, signal }),
      }
    case "retire":
      return { to: "retire", question, answer: await delivery.retire(id, question.head, { ...question, signal }) }
    case "devices":
      return { to: "devices", question, answer: await list(question, sources) }
    case "claim":
      return { to: "claim", question, answer: await claim(question, sources) }
    case "judge": {
      const isLarge = question.claims.length >= slicing.membersMin
      // A turn of its own, between the steps before and after.
      if (isLarge) await slicing.turn()
      const answer = await judge.judge(question.claims, signal)
      if (isLarge) await slicing.turn()
      return { to: "judge", question, answer }
    }
    case "make":
      return { to: "make", question, answer: await workedOn(question.work, sources) }
    case "open":
      return { to: "open", question, answer: await workedOn(question.work, sources) }
    case "enter":
      return { to: "enter", question, answer: await workedOn(question.work, sources) }
    case "unavailable":
      throw new Unavailable(question.reason)
  }
}

async function workedOn<T>(work: Sliced<T>, { slicing, signal }: Sources): Promise<Worked<T>> {
  try {
    return { done: await inSlices(work, slicing, signal) }
  } catch (failure) {
    signal.throwIfAborted()
    return { failure }
  }
}

async function list({ names }: QuestionOf<"devices">, { directory, signal }: Sources) {
  const found = await concurrently(names, (name) =>
    orFailure(async (): Promise<Listed> => ({ devices: await directory.devices(name, signal) })),
  )
  return new Map(names.map((name, at) => [name, found[at]!]))
}

function claim({ devices }: QuestionOf<"claim">, { delivery, cipherSuite, signal }: Sources) {
  // Each is looked at when it comes, and not all of them in one step.
  return concurrently(devices, (device) =>
    orFailure(async () => {
      const keyPackage = await delivery.claimKeyPackage(device.deviceId, cipherSuite, signal)
      return { keyPackage, fault: keyPackage && faultOf(device, keyPackage) }
    }),
  )
}

/** A service that answers something else fails one invitation; one that does not answer is asked again. */
async function orFailure<T>(ask: () => Promise<T>): Promise<T | { readonly failure: ClientError }> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof ClientError && !(error instanceof Unavailable)) return { failure: error }
    throw error
  }
}
