import type { World } from "./world.js"

/** Who attacks. A stranger knows a group's id and nothing else. */
export type Attacker =
  | "stranger"
  | "member"
  | "removed member"
  | "operator"
  | "thief"
  | "flood"
  | "web page"
  | "accident"

/** What the attacker has reached, and one line of what was seen: a plaintext, a size, a time. */
export interface Outcome {
  readonly succeeded: boolean
  readonly evidence: string
}

/** A text of the compiled code that occurs once, and what stands in its place when the defence is taken out. */
export interface Mutation {
  /** From the repository's root: `packages/client/dist/src/conversation/log.js`. */
  readonly file: string
  readonly find: string
  readonly replace: string
}

export interface Attack {
  /** As in the catalogue of attacks: `C1`, `C3c`. */
  readonly id: string
  readonly title: string
  readonly who: Attacker
  /** Whether it takes so little time that every run of the tests has it. */
  readonly quick?: boolean
  /** Where one fault has another number beside it: `F4`. */
  readonly also?: string
  /** What is to close it, where it is known to be open. */
  readonly open?: "Accounts"
  /** After so many seconds the run is given up as broken; default 60. */
  readonly secondsMax?: number
  /** It is about the page, which is built anew without the defence. */
  readonly page?: boolean
  /** The one defence, from `defences.ts`. With all of these texts replaced the attack succeeds. */
  readonly defence?: readonly Mutation[]
  /**
   * Throws where the attack could not be carried out: that is neither success nor failure. Otherwise the attacker's
   * bytes have been delivered, and the outcome says what they did.
   */
  readonly run: (world: World) => Promise<Outcome>
}

export const outcome = (succeeded: boolean, evidence: string): Outcome => ({ succeeded, evidence })
