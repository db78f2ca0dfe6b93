import type { Client, Conversation, Message } from "@conclave/client/node"
import { judgeDisplayName, shownText } from "@conclave/contracts/names"
import { labelOf } from "../conversations.js"
import { Failure } from "../failure.js"
import { drawInvitation } from "../invitations.js"
import type { Spoken } from "../messages.js"
import { labelOfPeople, labelOfPerson, typedName } from "../people.js"
import { align, alignTerms, wrap } from "../terminal/table.js"
import type { Terminal } from "../terminal/terminal.js"
import { languages, type Words } from "../words/form.js"
import { isLanguage, language, words as said, speak } from "../words/words.js"
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

/** Their words are in the catalogue, in the order in which the help shows them. */
export const slashCommands: Readonly<Record<keyof Words["typed"]["commands"], SlashCommand>> = {
  new: {
    wordsMin: 1,
    wordsMax: Number.POSITIVE_INFINITY,
    async run(session, [title, ...members]) {
      session.select(await session.client.createConversation({ title: title!, members: members.map(typedName) }))
    },
  },
  list: {
    run: (session) => session.print(conversationList(session)),
  },
  accept: {
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
    wordsMax: 1,
    async run(session, [called]) {
      const invitation = session.findInvitation(called)
      const who = labelOfPerson(session.client, invitation.invitedBy ?? "")
      await invitation.decline()
      session.print(said().typed.declined(who))
    },
  },
  open: {
    wordsMin: 1,
    wordsMax: Number.POSITIVE_INFINITY,
    async run(session, _words, called) {
      session.select(session.find(called))
      await printHistory(session, session.requireCurrent())
    },
  },
  invite: {
    wordsMin: 1,
    wordsMax: Number.POSITIVE_INFINITY,
    run: (session, names) => invite(session, names.map(typedName)),
  },
  remove: {
    wordsMin: 1,
    wordsMax: Number.POSITIVE_INFINITY,
    async run(session, typed) {
      const names = typed.map(typedName)
      if (names.includes(session.client.name)) throw new Failure(said().typed.notYourself)
      const conversation = session.requireCurrent()
      const [members, others] = partition(names, (name) => conversation.members.includes(name))
      for (const name of others) session.print(said().typed.notHere(labelOfPerson(session.client, name)))
      if (members.length > 0) await conversation.remove(...members)
    },
  },
  members: {
    run(session) {
      const conversation = session.requireCurrent()
      const leaves = conversation.tree().flatMap(({ name }) => name ?? [])
      const line = (name: string) => {
        const devices = leaves.filter((it) => it === name).length
        const you = name === session.client.name ? said().typed.you : ""
        return `  ${labelOfPerson(session.client, name)}${you}${devices > 1 ? said().typed.devices(devices) : ""}`
      }
      session.print(conversation.members.map(line).join("\n"))
    },
  },
  safety: {
    wordsMax: 1,
    run(session, [given]) {
      const conversation = session.requireCurrent()
      const name = given === undefined ? onlyOther(session, conversation) : typedName(given)
      const groups = conversation.safetyCode(name).split(" ")
      const rows = [groups.slice(0, 4), groups.slice(4, 8), groups.slice(8)].map((row) => `  ${row.join(" ")}`)
      session.print([said().typed.compare(labelOfPerson(session.client, name)), ...rows].join("\n"))
    },
  },
  tree: {
    run(session) {
      const { style, glyphs } = session.terminal
      const conversation = session.requireCurrent()
      session.print(
        drawTree(conversation.tree(), { style, glyphs, epoch: conversation.epoch, people: session.client }).join("\n"),
      )
    },
  },
  reinvite: {
    wordsMin: 1,
    wordsMax: Number.POSITIVE_INFINITY,
    run: (session, names) => session.requireCurrent().reinvite(...names.map(typedName)),
  },
  restart: {
    wordsMax: Number.POSITIVE_INFINITY,
    run: (session, words) => restart(session, words),
  },
  refresh: {
    run: (session) => session.requireCurrent().refresh(),
  },
  title: {
    wordsMin: 1,
    wordsMax: Number.POSITIVE_INFINITY,
    async run(session, _words, title) {
      const conversation = session.requireCurrent()
      if (conversation.title === title) session.print(said().typed.calledAlready(labelOf(conversation)))
      else await conversation.setTitle(title)
    },
  },
  name: {
    wordsMax: Number.POSITIVE_INFINITY,
    async run(session, _words, typed) {
      const { client } = session
      if (typed === "") {
        session.print(said().typed.seenAsNow(labelOfPerson(client, client.name)))
        return
      }
      const judged = typed === "-" ? { text: "" } : judgeDisplayName(typed)
      if (judged.text === undefined) {
        const fault = said().values.displayNameFault(judged.why)
        throw new Failure(said().typed.notADisplayName(shownText(typed, 60), fault))
      }
      await client.setDisplayName(judged.text)
      session.print(said().typed.seenAs(labelOfPerson(client, client.name)))
    },
  },
  history: {
    run: (session) => printHistory(session, session.requireCurrent()),
  },
  whole: {
    run: (session) => session.print(session.drawnWhole()),
  },
  approve: {
    wordsMin: 1,
    wordsMax: 1,
    run: (session, [name]) => session.approve(typedName(name!)),
  },
  leave: {
    run: (session) => session.requireCurrent().leave(),
  },
  language: {
    wordsMax: 1,
    async run(session, [asked = ""]) {
      if (!isLanguage(asked)) throw new Failure(said().typed.noLanguage(languages.join("|")))
      if (asked !== language()) await speak({ language: asked, locale: asked })
      session.print(said().typed.language)
    },
  },
  help: {
    run: (session) => session.print(helpLines().join("\n")),
  },
  quit: {
    run: (session) => session.end(),
  },
}

/** What may follow the command; empty: nothing. */
export const usageOf = (name: keyof typeof slashCommands): string => said().typed.commands[name].usage

function helpLines(): string[] {
  const { commands, anythingElse } = said().typed
  const rows = Object.entries(commands).map(([name, { usage, help }]) => [`  /${name} ${usage}`, help] as const)
  return [...alignTerms(rows), ...wrap(anythingElse)]
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
    const who = name === session.client.name ? undefined : labelOfPerson(session.client, name)
    const added = devicesOf(name) - devices
    session.print(said().typed.memberAlready(who, added))
  }
}

async function restart(session: CommandedSession, [first, ...left]: readonly string[]): Promise<void> {
  if (first !== undefined && (first !== "without" || left.length === 0)) {
    throw new Failure(said().typed.restartUsage)
  }
  const before = session.requireCurrent()
  const label = labelOf(before)
  const after = await before.restart({ without: left.map(typedName) })
  session.select(after)
  const others = after.members.filter((name) => name !== session.client.name)
  session.print(said().typed.restarted(label, labelOfPeople(session.client, others)))
}

export function conversationList(session: CommandedSession): string {
  const { client, conversations, current, terminal } = session
  if (conversations.length === 0) return said().typed.none
  const open = conversations.filter(({ status }) => status !== "invited")
  const rows = open.map((conversation) => [
    `  ${conversations.indexOf(conversation) + 1}`,
    conversation === current ? terminal.style.bold(labelOf(conversation)) : labelOf(conversation),
    labelOfPeople(client, conversation.members),
    conversation.status === "active" ? "" : said().conversations.states[conversation.status],
  ])
  const invitations = conversations.filter(({ status }) => status === "invited")
  const shown = invitations.slice(0, INVITATIONS_SHOWN)
  const more = invitations.length - shown.length
  return [
    ...align(rows),
    ...(shown.length > 0 ? [said().typed.invitations(invitations.length)] : []),
    ...shown.map((it) => `  ${drawInvitation(it, client)}: ${session.answersTo(it)}`),
    ...(more > 0 ? [said().typed.moreInvitations(more)] : []),
  ].join("\n")
}

/** Others send them: they do not fill the screen. */
const INVITATIONS_SHOWN = 10

async function printHistory(session: CommandedSession, conversation: Conversation): Promise<void> {
  const messages = await conversation.history({ limit: HISTORY_LINES })
  for (const message of messages) session.print(session.drawn(message))
  for (const message of conversation.pending) {
    const drawn = session.drawn({ ...message, from: session.client.name })
    session.print(`${drawn} ${session.terminal.style.dim(said().typed.waits)}`)
  }
  if (messages.length + conversation.pending.length === 0) {
    session.print(said().typed.nothingSaid(labelOf(conversation)))
  }
}

function partition<T>(all: readonly T[], is: (one: T) => boolean): readonly [readonly T[], readonly T[]] {
  return [all.filter(is), all.filter((one) => !is(one))]
}

function onlyOther({ client }: CommandedSession, { members }: Conversation): string {
  const others = members.filter((name) => name !== client.name)
  if (others.length === 1) return others[0]!
  throw new Failure(said().typed.withWhom)
}
