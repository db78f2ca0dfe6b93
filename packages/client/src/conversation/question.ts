import type { Device } from "@conclave/contracts/auth"
import type { Entry } from "@conclave/contracts/delivery"
import type { Knock } from "@conclave/contracts/knocks"
import type { Judgement } from "@conclave/identity/verdicts"
import type { CredentialClaim, MadeCommit, OpenedMessage, Sliced, StagedJoin } from "@conclave/mls"
import type { AccessProver } from "../access/interval-keys.js"
import type { ClientError } from "../errors.js"
import type { ClientErrorCode } from "../events.js"
import type { Claimed } from "../records/records.js"
import type { AnswerOf, DeliveryAnswer } from "../service/delivery.js"

/** What is sent: which answers are possible depends on it. */
export type Sent =
  | { readonly of: "create"; readonly wish: number }
  | { readonly of: "message"; readonly wish: number }
  | { readonly of: "leave"; readonly wish: number }
  | { readonly of: "commit" }
  | { readonly of: "again" }
  | { readonly of: "knock" }

/** A device of a name for which a key package is wanted. */
export type Wanted = Omit<Claimed, "keyPackage">

/**
 * What a conversation needs to know before it can go on. It asks one question at a time; what it has computed is stored
 * before the question is put.
 *
 * - `group`: the records of the group, of the entries before, and of what the service refused for good.
 * - `reload`: nothing; what is in memory is to be read from the store again.
 * - `read`, `head`, `send`, `knocks` (that wait), `answer` (to one): an answer of the Delivery Service, which is shown a key of the
 *   conversation's by `prover`; absent where no key has been registered yet.
 * - `service`: how far the log goes, as `head`, after the service was asked what it says of itself. `probe`: a page of the log, which is not
 *   followed.
 * - `kept`: the last handshakes. `told`: the last messages of the history. `rewind`: a page of the log of a service that was restored.
 * - `retire`: whether the service has it that this device, the last member, leaves.
 * - `devices`: what the directory lists for names, or why it does not say. `claim`: a key package for each device.
 * - `judge`: who the devices are that the invitation of a wish would add, or those that what is staged brings in.
 * - `make` a commit, `open` an entry, `enter` by the answer to a knock, which the log has at `seq`: nothing; what takes long
 *   in a large group is worked on in slices, between steps. It changes nothing: what comes of it is decided by the step that
 *   is given the answer.
 * - `more`: nothing; one transaction has become large enough.
 * - `unavailable`: nothing; the service contradicts itself, and is asked again later.
 */
export type Question =
  | { readonly type: "group" }
  | { readonly type: "reload" }
  | { readonly type: "read"; readonly after: bigint; readonly prover: AccessProver | undefined }
  | { readonly type: "head"; readonly prover: AccessProver | undefined }
  | { readonly type: "service"; readonly prover: AccessProver | undefined }
  | { readonly type: "kept" }
  | { readonly type: "told"; readonly limit: number }
  | { readonly type: "rewind"; readonly after: bigint; readonly prover: AccessProver | undefined }
  | { readonly type: "probe"; readonly after: bigint; readonly prover: AccessProver | undefined }
  | { readonly type: "knocks"; readonly prover: AccessProver }
  | { readonly type: "answer"; readonly knock: Uint8Array; readonly prover: AccessProver }
  | {
      readonly type: "send"
      readonly sent: Sent
      readonly request: Uint8Array
      readonly prover: AccessProver | undefined
    }
  | { readonly type: "retire"; readonly head: bigint; readonly prover: AccessProver }
  | { readonly type: "devices"; readonly wish: number; readonly names: readonly string[] }
  | { readonly type: "claim"; readonly wish: number; readonly devices: readonly Wanted[] }
  | { readonly type: "judge"; readonly wish: number | undefined; readonly claims: readonly CredentialClaim[] }
  | { readonly type: "make"; readonly work: Sliced<MadeCommit> }
  | { readonly type: "open"; readonly entry: Entry; readonly work: Sliced<OpenedMessage> }
  | { readonly type: "enter"; readonly seq: bigint; readonly work: Sliced<StagedJoin> }
  | { readonly type: "more" }
  | { readonly type: "unavailable"; readonly reason: string }

export type QuestionOf<K extends Question["type"]> = Extract<Question, { readonly type: K }>

/** Records of the store with their keys. */
export type StoredRecords = readonly (readonly [key: string, record: Uint8Array])[]

export type Listed = { readonly devices: readonly Device[] } | { readonly failure: ClientError }
/** `fault`: why this is not that device's key package. */
export type ClaimedPackage =
  | { readonly keyPackage: Uint8Array | undefined; readonly fault?: Why | undefined }
  | { readonly failure: ClientError }
/** Why an invitation cannot come true. */
export type Why = { readonly code: ClientErrorCode; readonly reason: string }

/** What work has come to, or what it threw. Whoever does not use what is `done` disposes of it: it holds secrets. */
export type Worked<T> = { readonly done: T } | { readonly failure: unknown }

/** The answers, by the type of the question. */
export interface Answers {
  group: {
    readonly group: StoredRecords
    readonly givenUp: Uint8Array | undefined
    readonly chain: StoredRecords
  }
  reload: undefined
  read: DeliveryAnswer
  head: AnswerOf<"head"> | undefined
  service: AnswerOf<"head"> | undefined
  probe: DeliveryAnswer
  kept: StoredRecords
  told: StoredRecords
  rewind: DeliveryAnswer
  knocks: readonly Knock[]
  answer: AnswerOf<"answer"> | AnswerOf<"notFound"> | AnswerOf<"denied">
  send: DeliveryAnswer
  retire: DeliveryAnswer
  devices: ReadonlyMap<string, Listed>
  claim: readonly ClaimedPackage[]
  judge: Judgement
  make: Worked<MadeCommit>
  open: Worked<OpenedMessage>
  enter: Worked<StagedJoin>
  more: undefined
  unavailable: never
}

/** An answer together with the question that it answers. */
export type Answered = {
  readonly [K in Question["type"]]: {
    readonly to: K
    readonly question: QuestionOf<K>
    readonly answer: Answers[K]
  }
}[Question["type"]]

/** Overwrites the secrets of an answer that nobody has used. */
export function disposeOf({ to, answer }: Pick<Answered, "to" | "answer">): void {
  if (to !== "make" && to !== "open" && to !== "enter") return
  const worked = answer as Worked<Disposable>
  if ("done" in worked) worked.done[Symbol.dispose]()
}

/** What comes of a part of a step: a question; `again`, there may be more to do at once; `idle`, there is not. */
export type Next = Question | "again" | "idle"
