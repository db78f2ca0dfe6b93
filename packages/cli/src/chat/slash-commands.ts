import type { Client, Conversation, Message } from "@conclave/client/node"
import { judgeDisplayName, shownText } from "@conclave/contracts/names"
import { labelOf } from "../conversations.js"
import { Failure } from "../failure.js"
import { drawInvitation } from "../invitations.js"
import type { Spoken } from "../messages.js"
import { labelOfPeople, labelOfPerson, typedName } from "../people.js"
import { align, alignTerms, wrap } from "../terminal/table.js"
import type { Terminal } from "../terminal/terminal.js"
import { drawTree } from "./draw-tree.js"

/** What the commands use of the session in which they are typed. */
export interface CommandedSession {
  readonly client: Client
  readonly terminal: Terminal
  readonly current: Conversation | undefined
  readonly conversations: readonly Conversation[]
  print(text: string): void
  select(conversation: Conversation): void
  find(called: string): Conversation
  findInvitation(called: string | undefined): Conversation
  answersTo(invitation: Conversation): string
  requireCurrent(): Conversation
  drawn(message: Spoken): string
  markShown(conversation: Conversation, messages: readonly Message[]): void
  drawnWhole(): string
  approve(name: string): Promise<void>
  end(): void
}

export interface SlashCommand {
  readonly usage: string
  readonly help: string
  /** How many words have to follow. */
  readonly wordsMin?: number
  /** How many words may follow; default: none. */
  readonly wordsMax?: number
  /** `rest` is what follows as it was typed, without quotation marks around the whole. */
  run(session: CommandedSession, words: readonly string[], rest: string): void | Promise<void>
}

const HISTORY_LINES = 20
/** Of what was said before an invitation was accepted; what is older comes after these. */
const ACCEPTED_LINES = 500

export const slashCommands: Readonly<Record<string, SlashCommand>> = {
  new: {
    usage: "TITLE [NAME…]",
    help: 'make a conversation and invite; quote a TITLE of several words: "our team"',
    wordsMin: 1,
    wordsMax: Number.POSITIVE_INFINITY,
    async run(session, [title, ...members]) {
      session.select(await session.client.createConversation({ title: title!, members: members.map(typedName) }))
    },
  },
  list: {
    usage: "",
    help: "show the conversations",
    run: (session) => session.print(conversationList(session)),
  },
  accept: {
    usage: "[NUMBER]",
    help: "enter a conversation that you are invited to",
    wordsMax: 1,
    async run(session, [called]) {
      const invitation = session.findInvitation(called)
      // Their events come now: they are not to stand on the screen twice.
      const said = await invitation.history({ limit: ACCEPTED_LINES })
      session.markShown(invitation, said)
      await invitation.accept()
      session.select(invitation)
      for (const message of said) session.print(session.drawn(message))
    },
  },
  decline: {
    usage: "[NUMBER]",
    help: "refuse an invitation: it is gone, and the members are told",
    wordsMax: 1,
    async run(session, [called]) {
      const invitation = session.findInvitation(called)
      const who = labelOfPerson(session.client, invitation.invitedBy ?? "")
      await invitation.decline()
      session.print(`you declined the invitation by ${who}`)
    },
  },
  open: {
    usage: "NUMBER|TITLE",
    help: "talk in another conversation",
    wordsMin: 1,
    wordsMax: Number.POSITIVE_INFINITY,
    async run(session, _words, called) {
      session.select(session.find(called))
      await printHistory(session, session.requireCurrent())
    },
  },
  invite: {
    usage: "NAME…",
    help: "add members",
    wordsMin: 1,
    wordsMax: Number.POSITIVE_INFINITY,
    run: (session, names) => invite(session, names.map(typedName)),
  },
  remove: {
    usage: "NAME…",
    help: "remove members: they read nothing more",
    wordsMin: 1,
    wordsMax: Number.POSITIVE_INFINITY,
    async run(session, typed) {
      const names = typed.map(typedName)
      if (names.includes(session.client.name)) throw new Failure("to remove yourself, use /leave")
      const conversation = session.requireCurrent()
      const [members, others] = partition(names, (name) => conversation.members.includes(name))
      for (const name of others) session.print(`${labelOfPerson(session.client, name)} is not in this conversation`)
      if (members.length > 0) await conversation.remove(...members)
    },
  },
  members: {
    usage: "",
    help: "show who is in the conversation",
    run(session) {
      const conversation = session.requireCurrent()
      const leaves = conversation.tree().flatMap(({ name }) => name ?? [])
      const line = (name: string) => {
        const devices = leaves.filter((it) => it === name).length
        const you = name === session.client.name ? " (you)" : ""
        return `  ${labelOfPerson(session.client, name)}${you}${devices > 1 ? `, ${devices} devices` : ""}`
      }
      session.print(conversation.members.map(line).join("\n"))
    },
  },
  safety: {
    usage: "[NAME]",
    help: "digits to compare by voice: they differ if there is a man in the middle",
    wordsMax: 1,
    run(session, [given]) {
      const conversation = session.requireCurrent()
      const name = given === undefined ? onlyOther(session, conversation) : typedName(given)
      const groups = conversation.safetyCode(name).split(" ")
      const rows = [groups.slice(0, 4), groups.slice(4, 8), groups.slice(8)].map((row) => `  ${row.join(" ")}`)
      session.print([`Compare with ${labelOfPerson(session.client, name)}, by voice or in person:`, ...rows].join("\n"))
    },
  },
  tree: {
    usage: "",
    help: "draw the ratchet tree",
    run(session) {
      const { style, glyphs } = session.terminal
      const conversation = session.requireCurrent()
      session.print(
        drawTree(conversation.tree(), { style, glyphs, epoch: conversation.epoch, people: session.client }).join("\n"),
      )
    },
  },
  reinvite: {
    usage: "NAME…",
    help: "take members out and in again whose devices lost the conversation; others get an alarm",
    wordsMin: 1,
    wordsMax: Number.POSITIVE_INFINITY,
    run: (session, names) => session.requireCurrent().reinvite(...names.map(typedName)),
  },
  restart: {
    usage: "[without NAME…]",
    help: "go on in a new group where nobody can write any more, after /open: the members are asked",
    wordsMax: Number.POSITIVE_INFINITY,
    run: (session, words) => restart(session, words),
  },
  refresh: {
    usage: "",
    help: "renew your keys: keys stolen before are useless after that",
    run: (session) => session.requireCurrent().refresh(),
  },
  title: {
    usage: "TITLE",
    help: "rename the conversation",
    wordsMin: 1,
    wordsMax: Number.POSITIVE_INFINITY,
    async run(session, _words, title) {
      const conversation = session.requireCurrent()
      if (conversation.title === title) session.print(`it is called "${labelOf(conversation)}" already`)
      else await conversation.setTitle(title)
    },
  },
  name: {
    usage: "TEXT|-",
    help: "say what others see beside your name; -: nothing any more",
    wordsMax: Number.POSITIVE_INFINITY,
    async run(session, _words, typed) {
      const { client } = session
      if (typed === "") {
        session.print(
          `others see you as ${labelOfPerson(client, client.name)}; /name TEXT changes that, /name - withdraws it`,
        )
        return
      }
      const judged = typed === "-" ? { text: "" } : judgeDisplayName(typed)
      if (judged.text === undefined)
        throw new Failure(`"${shownText(typed, 60)}" is not a display name: ${judged.fault}`)
      await client.setDisplayName(judged.text)
      session.print(`others see you as ${labelOfPerson(client, client.name)}`)
    },
  },
  history: {
    usage: "",
    help: `show the last ${HISTORY_LINES} messages`,
    run: (session) => printHistory(session, session.requireCurrent()),
  },
  whole: {
    usage: "",
    help: "show the last message that was cut, whole",
    run: (session) => session.print(session.drawnWhole()),
  },
  approve: {
    usage: "NAME",
    help: "accept the new key of somebody, after comparing",
    wordsMin: 1,
    wordsMax: 1,
    run: (session, [name]) => session.approve(typedName(name!)),
  },
  leave: {
    usage: "",
    help: "ask to be removed from this conversation",
    run: (session) => session.requireCurrent().leave(),
  },
  help: {
    usage: "",
    help: "show this",
    run: (session) => session.print(helpLines().join("\n")),
  },
  quit: {
    usage: "",
    help: "end (Ctrl-D too)",
    run: (session) => session.end(),
  },
}

function helpLines(): string[] {
  const rows = Object.entries(slashCommands).map(([name, { usage, help }]) => [`  /${name} ${usage}`, help] as const)
  return [
    ...alignTerms(rows),
    ...wrap("Anything else is sent to the conversation; a line that begins with // is sent with one /."),
  ]
}

/** Says of each name that was a member before whether that has added a device. */
async function invite(session: CommandedSession, names: readonly string[]): Promise<void> {
  const conversation = session.requireCurrent()
  const devicesOf = (name: string) => conversation.tree().filter((node) => node.name === name).length
  const before = new Map(
    names.filter((name) => conversation.members.includes(name)).map((name) => [name, devicesOf(name)]),
  )
  await conversation.invite(...names)
  for (const [name, devices] of before) {
    const who = name === session.client.name ? "you are" : `${labelOfPerson(session.client, name)} is`
    const added = devicesOf(name) - devices
    session.print(`${who} already a member${added > 0 ? `; devices added: ${added}` : ""}`)
  }
}

async function restart(session: CommandedSession, [first, ...left]: readonly string[]): Promise<void> {
  if (first !== undefined && (first !== "without" || left.length === 0)) {
    throw new Failure("usage: /restart [without NAME…]")
  }
  const before = session.requireCurrent()
  const label = labelOf(before)
  const after = await before.restart({ without: left.map(typedName) })
  session.select(after)
  const others = after.members.filter((name) => name !== session.client.name)
  const asked = others.length === 0 ? "nobody else is in it" : `asked to join: ${labelOfPeople(session.client, others)}`
  session.print(`a new group takes the place of ${label}; ${asked}`)
}

export function conversationList(session: CommandedSession): string {
  const { client, conversations, current, terminal } = session
  if (conversations.length === 0) return "There is no conversation yet: /new TITLE NAME… makes one."
  const open = conversations.filter(({ status }) => status !== "invited")
  const rows = open.map((conversation) => [
    `  ${conversations.indexOf(conversation) + 1}`,
    conversation === current ? terminal.style.bold(labelOf(conversation)) : labelOf(conversation),
    labelOfPeople(client, conversation.members),
    conversation.status === "active" ? "" : conversation.status,
  ])
  const invitations = conversations.filter(({ status }) => status === "invited")
  const shown = invitations.slice(0, INVITATIONS_SHOWN)
  const more = invitations.length - shown.length
  return [
    ...align(rows),
    ...(shown.length > 0 ? [`Invitations (${invitations.length}):`] : []),
    ...shown.map((it) => `  ${drawInvitation(it, client)}: ${session.answersTo(it)}`),
    ...(more > 0 ? [`  and ${more} more: they have the next numbers`] : []),
  ].join("\n")
}

/** Others send them: they do not fill the screen. */
const INVITATIONS_SHOWN = 10

async function printHistory(session: CommandedSession, conversation: Conversation): Promise<void> {
  const messages = await conversation.history({ limit: HISTORY_LINES })
  for (const message of messages) session.print(session.drawn(message))
  for (const message of conversation.pending) {
    const drawn = session.drawn({ ...message, from: session.client.name })
    session.print(`${drawn} ${session.terminal.style.dim("(waits)")}`)
  }
  if (messages.length + conversation.pending.length === 0) {
    session.print(`nothing has been said in ${labelOf(conversation)} yet`)
  }
}

function partition<T>(all: readonly T[], is: (one: T) => boolean): readonly [readonly T[], readonly T[]] {
  return [all.filter(is), all.filter((one) => !is(one))]
}

function onlyOther({ client }: CommandedSession, { members }: Conversation): string {
  const others = members.filter((name) => name !== client.name)
  if (others.length === 1) return others[0]!
  throw new Failure("say with whom: /safety NAME")
}
