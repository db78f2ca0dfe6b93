import { words } from "../words/words.js"

const TEXT_LENGTH_SHOWN = 120

interface Shown {
  readonly from: string
  readonly title: string
  readonly text: string
}

/** What the system shows of a message: without `shown` nothing that somebody at the screen could read. */
export function notificationWords(shown: Shown | undefined): { readonly title: string; readonly body: string } {
  if (shown === undefined) return { title: "Conclave", body: words().page.newMessage }
  const { from, title, text } = shown
  const points = [...text]
  const cut = points.length > TEXT_LENGTH_SHOWN ? `${points.slice(0, TEXT_LENGTH_SHOWN).join("")}…` : text
  return { title: from === title ? from : words().page.messageIn(from, title), body: cut }
}
