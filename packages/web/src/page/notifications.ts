import type { Headless, Told } from "@conclave/headless/browser"
import { textOf } from "../profile/content-words.js"
import { type People, titleOf } from "../profile/words.js"
import { addressOf } from "../view/route.js"
import { notificationWords } from "./notification-words.js"
import type { Settings } from "./settings.js"

/** `unsupported`: the browser has none, or not for this page. */
export type Permission = NotificationPermission | "unsupported"

export function notificationPermission(): Permission {
  return typeof Notification === "undefined" ? "unsupported" : Notification.permission
}

/** Of a profile, what messages are shown of. */
interface Messages extends People {
  readonly headless: Headless
}

/** Browsers ask the user in answer to a click alone, and remember what was said. */
export async function askForNotifications(): Promise<Permission> {
  if (typeof Notification === "undefined") return "unsupported"
  return Notification.requestPermission()
}

/**
 * Shows messages of others while the page is open and hidden: one notification for each conversation, which the next one
 * replaces. Muted conversations and own messages show none.
 */
export function followMessages(profile: Messages, settings: () => Settings): void {
  const shown = new Set<Notification>()
  profile.headless.listen((told) => {
    if (document.visibilityState === "visible" || !settings().notifies || notificationPermission() !== "granted") return
    const notification = show(profile, told, settings().showsContents)
    if (notification === undefined) return
    shown.add(notification)
    notification.addEventListener("close", () => shown.delete(notification))
  })
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState !== "visible") return
    for (const notification of shown) notification.close()
    shown.clear()
  })
}

function show(profile: Messages, { event }: Told, showsContents: boolean): Notification | undefined {
  if (event.type !== "message" || event.from === profile.name) return undefined
  const { id } = event.conversation
  const { conversations, archived } = profile.headless.getSnapshot()
  const summary = [...conversations, ...archived].find((it) => it.id === id)
  if (summary === undefined || summary.isMuted) return undefined
  const words = notificationWords(
    showsContents
      ? { from: profile.called(event.from), title: titleOf(event.conversation, profile), text: textOf(event) }
      : undefined,
  )
  try {
    const notification = new Notification(words.title, { body: words.body, tag: id, icon: "icon-192.png" })
    notification.addEventListener("click", () => {
      window.focus()
      location.hash = addressOf({ conversation: id })
      notification.close()
    })
    return notification
  } catch {
    // Browsers of phones let service workers alone show them; the page says it by its title.
    return undefined
  }
}
