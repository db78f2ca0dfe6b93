import type { Conversation } from "@conclave/client/node"
import { Sidecar } from "../sidecar.js"

/** Which conversation was talked in last, beside the profile: its id, which is in no message. */
export class LastConversation {
  readonly #sidecar: Sidecar<string> | undefined
  #id: string | undefined

  /** `profile`: its file; without one, nothing is kept. */
  constructor(profile: string | undefined) {
    this.#sidecar = profile === undefined ? undefined : new Sidecar(`${profile}.chat`, readId)
    this.#id = this.#sidecar?.read()
  }

  get id(): string | undefined {
    return this.#id
  }

  set(id: string): void {
    if (id === this.#id) return
    this.#id = id
    this.#sidecar?.write(id)
  }
}

const readId = (value: unknown) => (typeof value === "string" ? value : undefined)

const inNeed: ReadonlySet<Conversation["status"]> = new Set(["halted", "recovering", "stopped"])
const closed: ReadonlySet<Conversation["status"]> = new Set(["invited", "left", "lost", "continued"])

/** Whether nothing that is written there is sent until somebody decides, or a member helps. */
export const isStuck = ({ status, missing }: Pick<Conversation, "status" | "missing">): boolean =>
  missing || inNeed.has(status)

/**
 * The one to begin in: one that needs a decision, or else the one that was used last: the last one talked in, and where that
 * is not known, the one with the latest message.
 */
export async function firstConversation(
  all: readonly Conversation[],
  lastId: string | undefined,
): Promise<Conversation | undefined> {
  const open = all.filter(({ status }) => !closed.has(status))
  const decided = open.find(isStuck) ?? open.find(({ id }) => id === lastId)
  if (decided !== undefined || open.length < 2) return decided ?? open[0]
  const times = await Promise.all(
    open.map(async (conversation) => (await conversation.history({ limit: 1 }))[0]?.sentAt.getTime() ?? 0),
  )
  return open[times.indexOf(Math.max(...times))]
}
