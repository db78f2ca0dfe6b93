import { createHmac } from "node:crypto"
import type { Conversation, Message } from "@conclave/client/node"
import { Sidecar } from "../sidecar.js"

/** What is remembered of an input while it is being sent. */
interface Job {
  /** HMAC-SHA256 of the input under the profile's key: tells the same input without telling what it is. */
  readonly mac: string
  readonly conversation: string
  /** The place in the conversation behind which this input's messages are. */
  readonly after: number
}

export interface SendJobs {
  /**
   * How many of the parts were sent (or stored to be sent) by a run of the same input that did not come to its end.
   * `abandoned` where another input did not: what was stored of it is sent, the rest of it is not.
   */
  begin(conversation: Conversation, parts: readonly (string | Uint8Array)[]): Promise<Begun>
  /** All parts have arrived at the service. */
  end(): void
}

export interface Begun {
  readonly done: number
  readonly abandoned: boolean
}

const PAGE = 200

/**
 * Makes sending an input idempotent: the job is on the disk before its first message is stored, and a later run of the
 * same input to the same conversation counts what is there already. One profile is open in one process at a time.
 */
export function sendJobs(profile: string, sealingKey: Uint8Array): SendJobs {
  const sidecar = new Sidecar(`${profile}.sending`, readJob)
  let begun: string | undefined
  return {
    async begin(conversation, parts) {
      const mac = macOf(parts, { conversation, sealingKey })
      begun = mac
      const left = sidecar.read()
      if (left !== undefined && left.mac === mac && left.conversation === conversation.id) {
        return { done: await countSent(conversation, { parts, after: left.after }), abandoned: false }
      }
      const [last] = await conversation.history({ limit: 1 })
      sidecar.write({ mac, conversation: conversation.id, after: last?.seq ?? 0 })
      return { done: 0, abandoned: left !== undefined }
    },
    end() {
      // The profile is closed by now, and another process may have begun a job of its own.
      if (sidecar.read()?.mac === begun) sidecar.remove()
    },
  }
}

function readJob(value: unknown): Job | undefined {
  const { mac, conversation, after } = (value ?? {}) as Partial<Job>
  if (typeof mac !== "string" || typeof conversation !== "string" || typeof after !== "number") return undefined
  return { mac, conversation, after }
}

function macOf(
  parts: readonly (string | Uint8Array)[],
  { conversation, sealingKey }: { readonly conversation: Conversation; readonly sealingKey: Uint8Array },
): string {
  const mac = createHmac("sha256", sealingKey).update(`conclave send ${conversation.id}\n`)
  for (const part of parts) mac.update(part)
  return mac.digest("hex")
}

/** Parts are stored in their order: the ones that are there are the first. */
async function countSent(
  conversation: Conversation,
  { parts, after }: { readonly parts: readonly (string | Uint8Array)[]; readonly after: number },
): Promise<number> {
  const sent = (await messagesAfter(conversation, after)).filter(({ own }) => own)
  let done = 0
  for (const message of [...sent, ...conversation.pending]) {
    if (done < parts.length && isContent(message, parts[done]!)) done++
  }
  return done
}

async function messagesAfter(conversation: Conversation, after: number): Promise<readonly Message[]> {
  const found: Message[] = []
  for (let before: number | undefined; ; ) {
    const page = await conversation.history({ limit: PAGE, ...(before !== undefined && { before }) })
    found.unshift(...page.filter(({ seq }) => seq > after))
    const [oldest] = page
    if (page.length < PAGE || oldest === undefined || oldest.seq <= after) return found
    before = oldest.seq
  }
}

function isContent(
  { text, bytes }: { readonly text?: string; readonly bytes?: Uint8Array },
  part: string | Uint8Array,
) {
  if (typeof part === "string") return text === part
  return bytes !== undefined && Buffer.compare(bytes, part) === 0
}
