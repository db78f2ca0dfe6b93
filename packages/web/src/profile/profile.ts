import { type Client, type Conversation, openClient, type PersonLabel } from "@conclave/client/browser"
import { broadcastChannel, type Headless, indexedDbKeep, openHeadless, type Told } from "@conclave/headless/browser"
import { followMessages } from "../page/notifications.js"
import { readSettings } from "../page/settings.js"
import { onLanguage, words } from "../words/words.js"
import type { ChosenName } from "./chosen-name.js"
import { announcementOf } from "./notice-words.js"
import { pageProvider } from "./provider.js"
import { labelText, type People } from "./words.js"

/** The open profile: the client, what stands between it and the page, and the words of both. */
export class Profile implements People {
  readonly client: Client
  readonly headless: Headless
  /** What a screen reader is to say. */
  announcement = ""
  /** As they hold now: see `keepSettings`. */
  settings = readSettings()
  readonly #listeners = new Set<() => void>()

  private constructor(client: Client, headless: Headless) {
    this.client = client
    this.headless = headless
    headless.subscribe(() => this.#notify())
    headless.listen((told) => this.#announce(told))
    // What was said before is not to be read with the voice of another language.
    onLanguage(() => this.say(""))
  }

  /**
   * Registers the name on first use, with a display name if it is not empty; as a new device of the name where there is a
   * `recovery` key. Throws what `openClient` throws.
   */
  static async open(
    { name, displayName }: Pick<ChosenName, "name" | "displayName">,
    signal: AbortSignal,
    recovery: { readonly recovery?: string } = {},
  ): Promise<Profile> {
    const named = displayName === "" ? {} : { displayName }
    const client = await openClient({
      name,
      // The page is served from where the services are, a path included.
      service: new URL(".", document.baseURI),
      ...named,
      ...recovery,
      policy: { invitations: "ask" },
      provider: await pageProvider(),
      waitForOtherTab: true,
      signal,
    })
    try {
      const [keep, channel] = [await indexedDbKeep(name), broadcastChannel(name)]
      const headless = await openHeadless(client, { keep, channel, followTrees: true })
      const profile = new Profile(client, headless)
      profile.#followPage()
      followMessages(profile, () => profile.settings)
      return profile
    } catch (error) {
      await client.close()
      throw error
    }
  }

  get name(): string {
    return this.client.name
  }

  /** How a person is shown. */
  label(name: string): PersonLabel {
    return this.headless.label(name)
  }

  /** How a person is named in a sentence. */
  called(name: string): string {
    return labelText(this.label(name))
  }

  /** Conversations that the user has with somebody already. */
  sharedWith(name: string): readonly Conversation[] {
    const { conversations, archived } = this.headless.getSnapshot()
    const shared = [...conversations, ...archived].filter(({ members }) => members.includes(name))
    return shared.flatMap(({ id }) => this.client.conversations.get(id) ?? [])
  }

  /** Lets go of everything that it has open in this browser. */
  async close(): Promise<void> {
    try {
      await this.headless.close()
    } finally {
      await this.client.close()
    }
  }

  observe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Resolves when the invitation is gone from the list: the others are told as soon as the service can be reached. */
  async decline({ id, invitedBy = "" }: Conversation): Promise<void> {
    const who = this.called(invitedBy)
    await this.headless.decline(id)
    this.say(words().page.declined(who))
  }

  /** Resolves when the new group is in the list: the service and the members may hear of it later. */
  async restart({ id }: Conversation, without: readonly string[]): Promise<Conversation> {
    const after = await this.headless.restart(id, { without })
    this.say(words().page.restarted)
    return after
  }

  /** To those who hear the page. */
  say(announcement: string): void {
    this.announcement = announcement
    this.#notify()
  }

  #announce({ event, notice, isShown }: Told): void {
    this.announcement = announcementOf(event, { notice, visible: isShown, people: this }) ?? this.announcement
  }

  #followPage(): void {
    const look = () => this.headless.attend(document.visibilityState === "visible")
    document.addEventListener("visibilitychange", look)
    look()
    // What cannot be stored is told by the snapshot.
    addEventListener("pagehide", () => void this.headless.flush().catch(() => {}))
  }

  #notify(): void {
    for (const listener of [...this.#listeners]) listener()
  }
}
