import { type Language, languages } from "../words/form.js"
import { speak } from "../words/words.js"

/** How the page looks and what it says aloud here, on this device. Nobody else sees it. */
export interface Settings {
  readonly theme: Theme
  readonly language: ChosenLanguage
  /** Messages are shown by the system while the page is open and hidden. */
  readonly notifies: boolean
  /** Such a notification says who has written what, and not only that somebody has. */
  readonly showsContents: boolean
}
export type Theme = "system" | "light" | "dark"
/** `system`: the first of the languages that the browser is set to which the page has. */
export type ChosenLanguage = "system" | Language

const THEMES: readonly unknown[] = ["system", "light", "dark"] satisfies Theme[]

/** `public/theme.js` reads it before the first drawing. */
const THEME_KEY = "conclave.theme"
/** `public/theme.js` reads it, too. */
const LANGUAGE_KEY = "conclave.language"
const NOTIFICATIONS_KEY = "conclave.notifications"

/** What of `localStorage` is the page's own: see {@link forgetDevice}. */
export const STORAGE_PREFIX = "conclave."

export function readSettings(): Settings {
  const theme = read(THEME_KEY)
  const chosen = read(LANGUAGE_KEY)
  const notifications = read(NOTIFICATIONS_KEY)
  return {
    theme: isTheme(theme) ? theme : "system",
    language: languages.find((it) => it === chosen) ?? "system",
    notifies: notifications === "hidden" || notifications === "shown",
    showsContents: notifications === "shown",
  }
}

/** Where the browser keeps nothing, the choice holds until the page is closed. */
export function keepSettings({ theme, language, notifies, showsContents }: Settings): void {
  write(THEME_KEY, theme === "system" ? undefined : theme)
  write(LANGUAGE_KEY, language === "system" ? undefined : language)
  write(NOTIFICATIONS_KEY, notifies ? (showsContents ? "shown" : "hidden") : undefined)
}

/** Draws the page light or dark, with the edge that the system draws around it. */
export function applyTheme(theme: Theme): void {
  const { dataset } = document.documentElement
  if (theme === "system") delete dataset.theme
  else dataset.theme = theme
  for (const meta of document.querySelectorAll<HTMLMetaElement>('meta[name="theme-color"]')) {
    const { scheme = "" } = meta.dataset
    if (theme === "system") meta.media = `(prefers-color-scheme: ${scheme})`
    else meta.media = scheme === theme ? "all" : "not all"
  }
}

/** Speaks the language of the choice. Rejects where its words do not come; the page goes on in the one before. */
export async function applyLanguage(chosen: ChosenLanguage): Promise<void> {
  const language = chosen === "system" ? languageOfSystem() : chosen
  // With the region that the browser has for it: times in English are another thing in London.
  const locale = navigator.languages.find((tag) => languageOf(tag) === language) ?? language
  await speak({ language, locale })
  document.documentElement.lang = language
}

function languageOfSystem(): Language {
  for (const tag of navigator.languages) {
    const found = languageOf(tag)
    if (found !== undefined) return found
  }
  return "en"
}

function languageOf(tag: string): Language | undefined {
  const [first] = tag.toLowerCase().split("-")
  return languages.find((it) => it === first)
}

function isTheme(text: unknown): text is Theme {
  return THEMES.includes(text)
}

function read(key: string): string | null {
  try {
    return localStorage.getItem(key)
  } catch {
    return null
  }
}

function write(key: string, value: string | undefined): void {
  try {
    if (value === undefined) localStorage.removeItem(key)
    else localStorage.setItem(key, value)
  } catch {
    // The setting holds in this window.
  }
}
