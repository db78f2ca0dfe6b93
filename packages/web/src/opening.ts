import { ClientError } from "@conclave/client/browser"
import { forgetDevice } from "./page/deletion.js"
import { Versions } from "./page/versions.js"
import {
  type ChosenName,
  forgetChosenName,
  keepChosenName,
  keepTakenName,
  readChosenName,
} from "./profile/chosen-name.js"
import { missingFromBrowser, onAsked, takePage } from "./profile/page-lock.js"
import { Profile } from "./profile/profile.js"
import { NoCryptography, pageProvider } from "./profile/provider.js"
import { isolated, problem } from "./profile/words.js"
import type { Unreachable } from "./words/en/start.js"
import { sentence } from "./words/sentence.js"
import { words } from "./words/words.js"

/** How far the page has come. */
export type Phase =
  | { readonly type: "starting" }
  | { readonly type: "unsuitable"; readonly reason: string }
  | { readonly type: "elsewhere" }
  /** `isTaken`: the problem is that somebody has the name, who may be the user. */
  | ({ readonly type: "welcome"; readonly problem: string | undefined; readonly isTaken?: boolean } & Choice)
  | {
      readonly type: "opening"
      readonly name: string
      readonly registered: boolean
      readonly unreachable: { readonly what: Unreachable; readonly title: string } | undefined
    }
  | { readonly type: "broken"; readonly reason: string }
  | { readonly type: "open"; readonly profile: Profile }
  | { readonly type: "forgetting" }
  /** `left`: what the browser has not deleted. */
  | { readonly type: "forgotten"; readonly left: readonly string[] }

/** What a person says at the start. */
export type Choice = Pick<ChosenName, "name" | "displayName">

const RETRY_MILLISECONDS = 2_000

/** From the first moment of the page to an open profile, through whatever stands in between. */
export class Opening {
  phase: Phase = { type: "starting" }
  /** So many phases were entered: one may come after another of its kind. */
  entered = 0
  readonly versions: Versions
  readonly #onChange: () => void
  #attempt = new AbortController()
  #release = () => {}
  #choice: Choice = { name: "", displayName: "" }

  constructor(onChange: () => void) {
    this.#onChange = onChange
    this.versions = new Versions(onChange)
  }

  async start(): Promise<void> {
    const reason = missingFromBrowser()
    if (reason !== undefined) return this.#enter({ type: "unsuitable", reason })
    if (!(await this.#take())) return
    onAsked(() => void this.#giveUp())
    // Before anything is opened, a newer version may take over.
    if (await this.versions.begin()) return
    // Nobody waits for either yet.
    void pageProvider().catch(() => {})
    void loaded().then(() => this.versions.keep())
    await this.#begin()
  }

  async #begin(): Promise<void> {
    const chosen = readChosenName()
    if (chosen === undefined) this.#enter({ type: "welcome", name: "", displayName: "", problem: undefined })
    else await this.open(chosen, chosen.registered)
  }

  /** Whether this tab may use the keys, once it may. */
  async #take(): Promise<boolean> {
    try {
      this.#release = await takePage({ onWaiting: () => this.#enter({ type: "elsewhere" }) })
      return true
    } catch (error) {
      this.#enter({ type: "broken", reason: problem(error) })
      return false
    }
  }

  /** The user wants the page in another tab. What has only begun here is not left half done. */
  async #giveUp(): Promise<void> {
    const { phase } = this
    if (phase.type !== "open" && phase.type !== "welcome") return
    this.#enter({ type: "elsewhere" })
    if (phase.type === "open") await phase.profile.close().catch(() => {})
    this.#release()
    if (await this.#take()) await this.#begin()
  }

  /** Takes the name, or goes on under it. */
  async open({ name, displayName }: Choice, registered = false): Promise<void> {
    this.#choice = { name, displayName }
    this.#attempt = new AbortController()
    const { signal } = this.#attempt
    try {
      keepChosenName({ name, displayName, registered })
    } catch (error) {
      // Nobody takes a name that the next start would not know.
      return this.#enter({ type: "welcome", ...this.#choice, problem: problem(error) })
    }
    this.#enter({ type: "opening", name, registered, unreachable: undefined })
    while (!signal.aborted) {
      try {
        return this.goOn(await Profile.open(this.#choice, signal))
      } catch (error) {
        if (signal.aborted) return
        if (!isUnavailable(error)) return this.#fail(name, registered, error)
        this.#enter({ type: "opening", name, registered, unreachable: reasonOf(error) })
        await new Promise((resolve) => setTimeout(resolve, RETRY_MILLISECONDS))
      }
    }
  }

  /** With the profile of the name that was chosen last. */
  goOn(profile: Profile): void {
    keepTakenName({ ...this.#choice, name: profile.name })
    this.#enter({ type: "open", profile })
  }

  /** Deletes what this browser keeps, for good. */
  async forget(profile: Profile): Promise<void> {
    this.#enter({ type: "forgetting" })
    await profile.close().catch(() => {})
    const left = await forgetDevice().catch(() => ["conclave"])
    this.#enter({ type: "forgotten", left })
  }

  /** Back to the choice of a name, from a registration that has not come through. */
  chooseAgain(): void {
    this.#attempt.abort()
    forgetChosenName()
    this.#enter({ type: "welcome", ...this.#choice, problem: undefined })
  }

  #fail(name: string, registered: boolean, error: unknown): void {
    // A key that was revoked before its first opening came to an end has never been used: what is left is the name.
    if (error instanceof ClientError && (error.code === "NAME_TAKEN" || error.code === "REVOKED")) {
      forgetChosenName()
      const { nameTaken, keysGone } = words().start
      const problem = (registered ? keysGone : nameTaken)(isolated(name))
      this.#enter({ type: "welcome", ...this.#choice, problem, isTaken: true })
    } else {
      this.#enter({ type: "broken", reason: problem(error) })
    }
  }

  #enter(phase: Phase): void {
    this.phase = phase
    this.entered++
    this.#onChange()
  }
}

/** What the first screen needs is there. */
function loaded(): Promise<void> {
  return new Promise((resolve) => {
    if (document.readyState === "complete") resolve()
    else addEventListener("load", () => resolve(), { once: true })
  })
}

function reasonOf(error: unknown): { readonly what: Unreachable; readonly title: string } {
  // As a title has it, without a full stop.
  const { message: said, retryAt } = error as ClientError
  const message = sentence(said).slice(0, -1)
  // A service that names a time does answer.
  const what = error instanceof NoCryptography ? "cryptography" : retryAt === undefined ? "service" : "other"
  return { what, title: words().start.unreachable(what, message) }
}

function isUnavailable(error: unknown): boolean {
  return error instanceof ClientError && error.code === "UNAVAILABLE"
}
