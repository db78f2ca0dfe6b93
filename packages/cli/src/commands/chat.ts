import { command } from "../arguments.js"
import { ChatSession } from "../chat/session.js"
import { exitCodes } from "../failure.js"
import {
  asOption,
  dataOption,
  displayNameOption,
  fastOpenOptions,
  fastOpenParagraph,
  keyParagraph,
  serverOption,
} from "../options.js"
import { openProfile, synchronise } from "../profile.js"

export const chat = command({
  summary: "talk in conversations, in this terminal",
  description: [
    "The first start registers the name, which belongs to this profile from then on. /help lists what can be typed.",
    "An invitation is a request: /list shows those that wait, /accept and /decline answer them.",
    "Lines may be piped in: each is carried out before the next, and the exit code tells whether all went well: " +
      'echo "/new team bob" | conclave chat --as alice',
    fastOpenParagraph,
    keyParagraph,
  ],
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
    // A person may write without a network; a script is told at once that there is none.
    if (terminal.input.isTTY !== true) await synchronise(client, choice, options)
    const session = new ChatSession(client, terminal, file)
    for (const name of ["SIGTERM", "SIGHUP"] as const) process.once(name, () => session.end())
    await session.run()
    return session.hasFailed && terminal.input.isTTY !== true ? exitCodes.failed : exitCodes.done
  },
})
