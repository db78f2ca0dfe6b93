import type { Conversation } from "@conclave/client/node"
import { command, required, withDefault } from "../arguments.js"
import { findConversation } from "../conversations.js"
import { exitCodes, Failure } from "../failure.js"
import { acceptOption } from "../invitations.js"
import { asOption, dataOption, fastOpenOptions, nonEmpty, seconds, serverOption } from "../options.js"
import { type OpenProfile, openProfile, type ProfileChoice, readable, synchronise } from "../profile.js"
import { sendJobs } from "../sending/job.js"
import { INPUT_SIZE_MAX, split } from "../sending/split.js"
import { showProgress } from "../terminal/progress.js"
import type { Terminal } from "../terminal/terminal.js"
import { words } from "../words/words.js"

export const send = command({
  options: {
    as: asOption,
    to: required({ placeholder: "TITLE", read: nonEmpty("id") }),
    server: serverOption,
    data: dataOption,
    ...fastOpenOptions,
    "accept-invitations": acceptOption,
    timeout: withDefault(60_000, {
      placeholder: "S",
      read: seconds,
      shown: "60",
    }),
  },
  async run({ to, timeout, ...choice }, { terminal }) {
    const parts = split(await readInput(terminal))
    const signal = AbortSignal.timeout(timeout)
    const profile = await openProfile(choice, { terminal, live: false, signal })
    const jobs = sendJobs(profile.file, profile.sealingKey)
    try {
      await sendAll({ profile, choice, to, parts, terminal, signal, jobs })
    } finally {
      await profile.client.close()
    }
    // The last thing of all: whoever is killed before it and runs again sends nothing twice.
    jobs.end()
    return exitCodes.done
  },
})

interface Sending {
  readonly profile: OpenProfile
  readonly choice: ProfileChoice
  readonly to: string
  readonly parts: readonly (string | Uint8Array)[]
  readonly terminal: Terminal
  readonly signal: AbortSignal
  readonly jobs: ReturnType<typeof sendJobs>
}

async function sendAll({ profile, choice, to, parts, terminal, signal, jobs }: Sending): Promise<void> {
  const { client } = profile
  try {
    // Also carries out what an earlier run has stored.
    await synchronise(client, choice, { terminal, live: false, signal })
    const conversation = findConversation(client, to)
    const { done, abandoned } = await jobs.begin(conversation, parts)
    if (abandoned) terminal.tell(words().send.abandoned)
    if (done > 0) terminal.tell(words().send.goingOn(done, parts.length))
    await sendParts(conversation, { parts: parts.slice(done), terminal, signal })
  } catch (error) {
    throw signal.aborted ? gaveUp(choice, error) : await readable(error, choice)
  }
}

async function sendParts(
  conversation: Conversation,
  { parts, terminal, signal }: Pick<Sending, "parts" | "terminal" | "signal">,
): Promise<void> {
  using progress = showProgress(terminal, words().send.progress)
  for (const [at, part] of parts.entries()) {
    progress.update(words().send.sending(at + 1, parts.length))
    await conversation.send(part, { signal })
  }
}

function gaveUp({ server }: ProfileChoice, cause: unknown): Failure {
  return new Failure(words().send.gaveUp(server.origin), { cause })
}

async function readInput({ input, tell }: Terminal): Promise<Uint8Array> {
  if (input.isTTY) tell(words().send.type)
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of input as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    size += chunk.length
    if (size > INPUT_SIZE_MAX) throw new Failure(words().send.tooLarge(INPUT_SIZE_MAX / 1024 ** 2))
  }
  if (size === 0) throw new Failure(words().send.empty)
  return Buffer.concat(chunks)
}
