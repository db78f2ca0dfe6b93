import type { Client, Conversation } from "@conclave/client/node"
import { words } from "../words/words.js"
import { disagreements, type Expectation, type View } from "./agreement.js"

const TITLE = "demo"
const NAMES = ["alice", "bob", "carol"] as const
type Name = (typeof NAMES)[number]

export interface Step {
  readonly name: () => string
  /** It begins an epoch: for all members with a new authenticator. */
  readonly isCommit: boolean
  run(stage: Stage): Promise<unknown>
}

/** The people, and what is expected of them after the steps so far. */
export class Stage {
  readonly clients: ReadonlyMap<string, Client>
  readonly #said: Expectation["said"][number][] = []
  members: readonly Name[] = []
  #id = ""

  constructor(clients: readonly Client[]) {
    this.clients = new Map(clients.map((client) => [client.name, client]))
  }

  client(name: Name): Client {
    return this.clients.get(name)!
  }

  of(name: Name): Conversation {
    return this.client(name).conversations.get(this.#id)!
  }

  begin({ id }: Conversation): void {
    this.#id = id
  }

  async say(name: Name, text: string): Promise<void> {
    this.#said.push({ message: `${name}: ${text}`, readers: this.members })
    await this.of(name).send(text)
  }

  /** Everything that was said so far. */
  get texts(): readonly string[] {
    return this.#said.map(({ message }) => message.slice(message.indexOf(": ") + 2))
  }

  async views(): Promise<readonly View[]> {
    const names = NAMES.filter((name) => this.client(name).conversations.has(this.#id))
    return Promise.all(names.map((name) => viewOf(name, this.of(name))))
  }

  async disagreements(): Promise<readonly string[]> {
    const views = await this.views()
    const absent = this.members.filter((name) => !views.some((view) => view.name === name))
    return [
      ...absent.map((name) => words().demo.doesNotKnow(name)),
      ...disagreements(views, { members: this.members, said: this.#said }),
    ]
  }
}

async function viewOf(name: string, conversation: Conversation): Promise<View> {
  const { status, epoch, epochAuthenticator, members } = conversation
  const history = await conversation.history({ limit: 1_000 })
  return {
    name,
    status,
    epoch,
    authenticator: Buffer.from(epochAuthenticator).toString("hex"),
    members,
    messages: history.map(({ from, text }) => `${from}: ${text}`),
  }
}

export const names: readonly string[] = NAMES

export const script: readonly Step[] = [
  {
    name: () => words().demo.steps.create,
    isCommit: false,
    async run(stage) {
      stage.members = ["alice"]
      stage.begin(await stage.client("alice").createConversation({ title: TITLE }))
    },
  },
  {
    name: () => words().demo.steps.invite,
    isCommit: true,
    run(stage) {
      stage.members = NAMES
      return stage.of("alice").invite("bob", "carol")
    },
  },
  talk(() => words().demo.steps.talk, NAMES),
  {
    name: () => words().demo.steps.refresh,
    isCommit: true,
    run: (stage) => stage.of("bob").refresh(),
  },
  talk(() => words().demo.steps.talk, NAMES),
  {
    name: () => words().demo.steps.remove,
    isCommit: true,
    run(stage) {
      stage.members = ["alice", "bob"]
      return stage.of("alice").remove("carol")
    },
  },
  talk(() => words().demo.steps.talkWithout, ["alice", "bob"]),
  {
    name: () => words().demo.steps.inviteAgain,
    isCommit: true,
    run(stage) {
      stage.members = NAMES
      return stage.of("bob").invite("carol")
    },
  },
  talk(() => words().demo.steps.talk, NAMES),
]

/** Every text is another: what was read twice, or by the wrong one, shows. */
function talk(name: Step["name"], speakers: readonly Name[]): Step {
  return {
    name,
    isCommit: false,
    async run(stage) {
      for (const speaker of speakers) await stage.say(speaker, words().demo.text(speaker, stage.texts.length + 1))
    },
  }
}
