import type { Client, ClientEvent, Conversation, Message } from "@conclave/client/node"
import { shownText } from "@conclave/contracts/names"
import { nearest } from "../closest.js"
import { isCalled, labelOf, TITLE_LENGTH_SHOWN } from "../conversations.js"
import { keepEvidence } from "../evidence.js"
import { explain, Failure } from "../failure.js"
import { cut, drawEvent, drawMessage, drawMessageCut, type Reader, type Spoken } from "../messages.js"
import { labelOfPerson } from "../people.js"
import { timeOf } from "../reader.js"
import type { Terminal } from "../terminal/terminal.js"
import { words as said } from "../words/words.js"
import { firstConversation, isStuck, LastConversation } from "./first-conversation.js"
import { openScreen, type Screen } from "./screen.js"
import { type CommandedSession, conversationList, slashCommands, usageOf } from "./slash-commands.js"
import { restOf, wordsOf } from "./words.js"

const OPENING_LINES = 10
/** The prompt does not flicker for what is over at once. */
const PROMPT_DELAY_MILLISECONDS = 300
/** So long, a wish that no service takes is stored at the latest. */
const KEEPING_MILLISECONDS = 1_000
/** So long the next line waits for a command, as others may have to do something first. */
const WAITING_MILLISECONDS = 5_000
/** What comes after these goes into another conversation. */
const SELECTING = ["/new", "/open", "/accept", "/restart"]
/** A wish that failed is told by the call and by an event: one of them is enough. */
const REPETITION_MILLISECONDS = 2_000

export interface SessionOptions {
  readonly file?: string | undefined
  readonly isOffline?: boolean
}

/** One person at a terminal: what they type, what comes in, and which conversation they are in. */
export class ChatSession implements CommandedSession {
  readonly client: Client
  readonly terminal: Terminal
  current: Conversation | undefined
  /** Whether anything that was asked for could not be done. */
  hasFailed = false
  readonly #file: string | undefined
  readonly #screen: Screen
  readonly #stop = new AbortController()
  /** Keys that were not accepted, by name. */
  readonly #newKeys = new Map<string, Uint8Array>()
  /** Places of messages that stand on the screen already, and whose events are still to come. */
  readonly #shown = new Set<string>()
  /** Who was asked in and declined, by conversation, until they have been removed. */
  readonly #declined = new Set<string>()
  readonly #told = new Map<string, number>()
  #lastCut: Spoken | undefined
  /** Why messages arrive with a delay, as it was told last. */
  #toldLine: string | undefined
  #queue: Promise<void> = Promise.resolve()
  #promptTimer: NodeJS.Timeout | undefined

  readonly #last: LastConversation
  readonly #isOffline: boolean

  /**
   * `file`: the profile's, beside which evidence is kept. `isOffline`: the service does not answer; of what was piped in,
   * nothing waits for it.
   */
  constructor(client: Client, terminal: Terminal, { file, isOffline = false }: SessionOptions = {}) {
    this.#file = file
    this.#isOffline = isOffline
    this.#last = new LastConversation(file)
    this.client = client
    this.terminal = terminal
    this.#screen = openScreen(terminal, {
      line: (text, beginsPasted) => this.#enter(text, beginsPasted),
      // What was piped in is carried out first.
      end: () => void (this.#screen.isInteractive ? this.end() : this.#queue.then(() => this.end())),
      complete: (typed) => this.#complete(typed),
    })
  }

  /** Resolves when the person, or the input, has ended it. */
  async run(): Promise<void> {
    const stopObserving = this.client.observe(() => this.#schedulePrompt())
    this.client.attend(this.#screen.isInteractive)
    try {
      await this.#open()
      const signal = this.#stop.signal
      for await (const event of this.client.events({ signal })) await this.#show(event)
    } finally {
      stopObserving()
      clearTimeout(this.#promptTimer)
      this.#screen.close()
    }
  }

  end(): void {
    this.#stop.abort()
  }

  print(text: string): void {
    this.#screen.print(text)
  }

  /**
   * In the order in which they are numbered on the screen: invitations after those that one is in, and last those that
   * were left, of which there is a history.
   */
  get conversations(): readonly Conversation[] {
    const all = [...this.client.conversations.values()]
    const isOpen = (conversation: Conversation) => !isOver(conversation) && !isInvitation(conversation)
    return [...all.filter(isOpen), ...all.filter(isInvitation), ...all.filter(isOver)]
  }

  /** By its number, or the only one. */
  findInvitation(called: string | undefined): Conversation {
    const waiting = this.conversations.filter(isInvitation)
    const numbered = called === undefined ? undefined : this.conversations[Number(called) - 1]
    if (called === undefined && waiting.length === 1) return waiting[0]!
    if (numbered !== undefined && isInvitation(numbered)) return numbered
    if (waiting.length === 0) throw new Failure(said().chat.noInvitation)
    if (called === undefined) throw new Failure(said().chat.severalInvitations)
    throw new Failure(said().chat.noSuchInvitation(shownText(called, TITLE_LENGTH_SHOWN)))
  }

  /** What is typed to answer an invitation. */
  answersTo(invitation: Conversation): string {
    const number = this.conversations.indexOf(invitation) + 1
    return said().chat.answers(number)
  }

  select(conversation: Conversation): void {
    this.current = conversation
    this.#last.set(conversation.id)
    // From here on the client sees which nodes are renewed.
    conversation.tree()
    this.#drawPrompt()
  }

  find(called: string): Conversation {
    const found =
      this.conversations[Number(called) - 1] ??
      this.conversations.find((conversation) => isCalled(conversation, called))
    if (found === undefined) throw new Failure(said().chat.noSuchConversation(shownText(called, TITLE_LENGTH_SHOWN)))
    if (isInvitation(found)) throw new Failure(said().chat.isInvitation(this.answersTo(found)))
    return found
  }

  requireCurrent(): Conversation {
    if (this.current !== undefined) return this.current
    const invitation = this.conversations.find(isInvitation)
    throw new Failure(said().chat.inNone(invitation && this.answersTo(invitation)))
  }

  /** A message for the screen: cut, where somebody sits in front of it and it is long. */
  drawn(message: Spoken): string {
    if (!this.#screen.isInteractive) return drawMessage(message, this.#reader)
    if (cut(message) !== undefined) this.#lastCut = message
    return drawMessageCut(message, this.#reader)
  }

  /** These stand on the screen: their events, which are still to come, show nothing. */
  markShown(conversation: Conversation, messages: readonly Message[]): void {
    for (const { own, seq } of messages) if (!own) this.#shown.add(placeOf(conversation, seq))
  }

  /** The last message that was cut. */
  drawnWhole(): string {
    if (this.#lastCut === undefined) throw new Failure(said().chat.nothingCut)
    return drawMessage(this.#lastCut, this.#reader)
  }

  async approve(name: string): Promise<void> {
    const key = this.#newKeys.get(name)
    const label = labelOfPerson(this.client, name)
    if (key === undefined) throw new Failure(said().chat.noKey(label))
    await this.client.approveKey(name, key)
    this.#newKeys.delete(name)
    this.print(said().chat.keyAccepted(label))
  }

  get #reader(): Reader {
    return { style: this.terminal.style, people: this.client }
  }

  async #open(): Promise<void> {
    const { conversations, client, terminal } = this
    const first = await firstConversation(conversations, this.#last.id)
    if (first !== undefined) this.select(first)
    if (!this.#screen.isInteractive) return
    this.print(said().chat.thisIs(terminal.style.bold(labelOfPerson(client, client.name))))
    this.print(conversationList(this))
    for (const message of (await this.current?.history({ limit: OPENING_LINES })) ?? []) {
      this.markShown(this.current!, [message])
      this.print(this.drawn(message))
    }
  }

  #enter(text: string, beginsPasted: boolean): void {
    const line = text.trim()
    // The one command that must not wait for the one before.
    if (this.#screen.isInteractive && line === "/quit" && !beginsPasted) this.end()
    this.#queue = this.#queue
      .then(() => this.#kept(beginsPasted ? this.#performPasted(text) : this.#perform(line), line))
      .catch((error: unknown) => this.#tellFailure(error))
  }

  /** Whatever it says, it is one message, with its lines and the spaces in front of them. */
  async #performPasted(text: string): Promise<void> {
    if (text.trim() !== "" && !this.#stop.signal.aborted) await this.#send(text.replace(/^\n+|\s+$/g, ""))
  }

  async #perform(line: string): Promise<void> {
    if (line === "" || this.#stop.signal.aborted) return
    if (!line.startsWith("/")) return this.#send(line)
    if (line.startsWith("//")) return this.#send(line.slice(1))
    const [name = "", ...words] = wordsOf(line.slice(1))
    if (!isCommand(name)) throw new Failure(said().chat.noCommand(name, nearest(name, Object.keys(slashCommands))))
    const command = slashCommands[name]
    const { wordsMin = 0, wordsMax = 0 } = command
    if (words.length < wordsMin) throw new Failure(said().chat.usage(`/${name} ${usageOf(name)}`))
    if (words.length > wordsMax) throw new Failure(said().chat.tooManyWords(`/${name} ${usageOf(name)}`.trimEnd()))
    await command.run(this, words, restOf(line))
  }

  /**
   * What a line asks for is stored soon, and may be carried out later: without the service, or while a conversation waits
   * for somebody. The next line does not wait for that, unless it depends on it.
   */
  async #kept(work: Promise<void>, line: string): Promise<void> {
    const { isInteractive } = this.#screen
    const answers = () => (isInteractive ? this.client.online : !this.#isOffline)
    const command = line.startsWith("/") && !line.startsWith("//") ? line.split(" ")[0]! : undefined
    const mayGoOn = isInteractive && command !== undefined && !SELECTING.includes(command)
    if (answers() && !mayGoOn) return work
    let timer: NodeJS.Timeout | undefined
    const patience = new Promise<true>((resolve) => {
      timer = setTimeout(() => resolve(true), answers() ? WAITING_MILLISECONDS : KEEPING_MILLISECONDS)
    })
    const isWaiting = await Promise.race([work, patience]).finally(() => clearTimeout(timer))
    if (isWaiting !== true) return
    if (answers() && !mayGoOn) return work
    work.catch((error: unknown) => this.#tellFailure(error))
    if (answers()) this.print(said().chat.commandWaits(command!))
    else this.#waits(command ?? said().chat.theMessage, said().chat.theService)
  }

  #waits(what: string, reason: string): void {
    this.hasFailed = true
    this.print(said().chat.waits(what, reason))
  }

  /** A person does not wait until a message has arrived before typing the next; a pipe does, if it can be sent. */
  async #send(text: string): Promise<void> {
    const conversation = this.requireCurrent()
    const sent = conversation.send(text).catch((error: unknown) => {
      if (!isStuck(conversation)) throw error
      const why = said().chat.notSent(explain(error).reason, labelOf(conversation), adviceFor(conversation))
      throw new Failure(why, { cause: error })
    })
    if (this.#screen.isInteractive) sent.catch((error: unknown) => this.#tellFailure(error))
    else if (isStuck(conversation)) {
      // Stored before anything else is done, if it is not refused.
      await Promise.race([sent, until(() => conversation.pending.length > 0, KEEPING_MILLISECONDS)])
      sent.catch(() => {})
      this.#waits(said().chat.theMessage, said().chat.conversationNeeds(labelOf(conversation), adviceFor(conversation)))
    } else await sent
  }

  async #show(event: ClientEvent): Promise<void> {
    const reader = this.#reader
    if (event.type === "keyChanged" && !event.accepted) this.#newKeys.set(event.name, event.signatureKey)
    if (event.type === "joined" && (this.current === undefined || isOver(this.current))) this.select(event.conversation)
    if (event.type === "failed") {
      this.#tellOnce(`${event.code} ${event.reason}`, drawEvent(event, reader)!)
      return
    }
    // Not by the message's id: a member may have repeated another's.
    const isShown = event.type === "message" && this.#shown.delete(placeOf(event.conversation, event.seq))
    const drawn = event.type === "message" ? this.drawn(event) : this.#drawEvent(event)
    if (!isShown && drawn !== undefined) this.print(this.#placed(event, drawn))
    const kept = this.#file === undefined ? undefined : keepEvidence(event, this.#file)
    if (kept !== undefined) this.print(kept)
    this.#schedulePrompt()
  }

  #drawEvent(event: ClientEvent): string | undefined {
    if (event.type === "declined") this.#declined.add(memberOf(event.conversation, event.name))
    const drawn = drawEvent(event.type === "members" ? this.#withoutDeclined(event) : event, this.#reader)
    if (event.type !== "invited") return drawn
    // It may have been answered, or withdrawn, since.
    return isInvitation(event.conversation) ? `${drawn}: ${this.answersTo(event.conversation)}` : undefined
  }

  /** Who declined has never been in, and does not leave: that was told. */
  #withoutDeclined(event: MembersEvent): MembersEvent {
    const hasCome = (name: string) => !this.#declined.delete(memberOf(event.conversation, name))
    return { ...event, left: event.left.filter(hasCome) }
  }

  /** What happens elsewhere says where. */
  #placed({ type, conversation }: ClientEvent, drawn: string): string {
    if (conversation === undefined || type === "invited" || conversation === this.current) return drawn
    return `${this.terminal.style.cyan(`[${labelOf(conversation)}]`)} ${drawn}`
  }

  #tellFailure(error: unknown): void {
    if (this.#stop.signal.aborted) return
    this.hasFailed = true
    const { reason } = explain(error)
    const code = (error as { code?: string }).code ?? ""
    this.#tellOnce(`${code} ${reason}`, this.terminal.style.red(reason))
  }

  #tellOnce(key: string, text: string): void {
    const now = performance.now()
    const last = this.#told.get(key)
    if (last !== undefined && now - last < REPETITION_MILLISECONDS) return
    if (this.#told.size > 100) this.#told.clear()
    this.#told.set(key, now)
    this.print(text)
  }

  #schedulePrompt(): void {
    this.#promptTimer ??= setTimeout(() => {
      this.#promptTimer = undefined
      this.#tellLine()
      this.#drawPrompt()
    }, PROMPT_DELAY_MILLISECONDS)
  }

  /** Once for each reason: the prompt says that it is still so. */
  #tellLine(): void {
    const { line } = this.client
    const told = line.state === "polling" ? line.reason : undefined
    if (told === this.#toldLine) return
    this.#toldLine = told
    if (told === undefined || !this.#screen.isInteractive) return
    this.print(this.terminal.style.yellow(said().chat.delayed(shownText(told, TITLE_LENGTH_SHOWN))))
  }

  #drawPrompt(): void {
    const { style } = this.terminal
    const { current, client } = this
    const { promptDelayed, promptOffline, promptBusy, promptWaiting } = said().chat
    const remarks = [
      ...(client.online ? [] : [client.line.state === "polling" ? promptDelayed : promptOffline]),
      ...(client.waiting === undefined ? [] : [promptBusy(timeOf(client.waiting.until))]),
      ...(current === undefined || current.status === "active" ? [] : [said().conversations.states[current.status]]),
      ...(current === undefined || current.pending.length === 0 ? [] : [promptWaiting(current.pending.length)]),
    ]
    const label = current === undefined ? "" : style.cyan(labelOf(current))
    const words = [
      ...(label === "" ? [] : [label]),
      ...(remarks.length === 0 ? [] : [style.yellow(`(${remarks.join(", ")})`)]),
    ]
    this.#screen.setPrompt(`${words.join(" ")}> `)
  }

  #complete(typed: string): readonly string[] {
    const last = typed.slice(typed.lastIndexOf(" ") + 1)
    const before = typed.slice(0, typed.length - last.length)
    const known =
      before === "" && last.startsWith("/")
        ? Object.keys(slashCommands).map((name) => `/${name} `)
        : this.conversations.flatMap(({ members }) => members)
    return [...new Set(known)].filter((word) => word.startsWith(last) && last !== "").map((word) => before + word)
  }
}

function adviceFor({ status, missing }: Conversation): string {
  const { adviceHalted, adviceRecovering, adviceMissing, adviceStopped } = said().chat
  if (status === "halted") return adviceHalted
  if (status === "recovering") return adviceRecovering
  return missing ? adviceMissing : adviceStopped
}

async function until(isSo: () => boolean, milliseconds: number): Promise<void> {
  for (let waited = 0; !isSo() && waited < milliseconds; waited += POLL_MILLISECONDS) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MILLISECONDS))
  }
}

const POLL_MILLISECONDS = 10

const placeOf = ({ id }: Conversation, seq: number | undefined) => `${id}/${seq ?? ""}`
type MembersEvent = Extract<ClientEvent, { type: "members" }>

const memberOf = ({ id }: Conversation, name: string) => `${id}/${name}`
const isInvitation = ({ status }: Conversation) => status === "invited"
const isOver = ({ status }: Conversation) => status === "left"

const isCommand = (name: string): name is keyof typeof slashCommands => Object.hasOwn(slashCommands, name)
