import { command } from "../arguments.js"
import { ChatSession } from "../chat/session.js"
import { exitCodes, explain } from "../failure.js"
import { asOption, dataOption, displayNameOption, fastOpenOptions, serverOption } from "../options.js"
import { openProfile, unanswered } from "../profile.js"
import { noteOf } from "../terminal/terminal.js"
import { words } from "../words/words.js"

export const chat = command({
  options: {
    as: asOption,
    "display-name": displayNameOption,
    server: serverOption,
    data: dataOption,
    ...fastOpenOptions,
  },
  async run(choice, { terminal }) {
    const options = { terminal, live: true }
    const { client, file } = await openProfile({ ...choice, "accept-invitations": "none" }, options)
    await using _client = client
    const isPerson = terminal.input.isTTY === true
    const note = (text: string) => noteOf(terminal.errorStyle, words().chat.keptForLater(text))
    // What is piped in comes after what has arrived; a person need not wait.
    const missed = isPerson ? undefined : await unanswered(client, choice, options)
    if (missed !== undefined) terminal.tell(note(missed))
    const session = new ChatSession(client, terminal, { file, isOffline: missed !== undefined })
    if (isPerson) {
      unanswered(client, choice, { ...options, isQuiet: true }).then(
        (reason) => reason !== undefined && session.print(note(reason)),
        (error: unknown) => session.print(explain(error).reason),
      )
    }
    for (const name of ["SIGTERM", "SIGHUP"] as const) process.once(name, () => session.end())
    await session.run()
    return session.hasFailed && !isPerson ? exitCodes.failed : exitCodes.done
  },
})
