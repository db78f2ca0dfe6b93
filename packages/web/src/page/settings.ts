/** How the page looks and what it says aloud here, on this device. Nobody else sees it. */
export interface Settings {
  readonly theme: Theme
  /** Messages are shown by the system while the page is open and hidden. */
  readonly notifies: boolean
  /** Such a notification says who has written what, and not only that somebody has. */
  readonly showsContents: boolean
}
export type Theme = "system" | "light" | "dark"

const THEMES: readonly unknown[] = ["system", "light", "dark"] satisfies Theme[]

/** `public/theme.js` reads it before the first drawing. */
const THEME_KEY = "conclave.theme"
const NOTIFICATIONS_KEY = "conclave.notifications"

/** What of `localStorage` is the page's own: see {@link forgetDevice}. */
export const STORAGE_PREFIX = "conclave."

export function readSettings(): Settings {
  const theme = read(THEME_KEY)
  const notifications = read(NOTIFICATIONS_KEY)
  return {
    theme: isTheme(theme) ? theme : "system",
    notifies: notifications === "hidden" || notifications === "shown",
    showsContents: notifications === "shown",
  }
}

/** Where the browser keeps nothing, the choice holds until the page is closed. */
export function keepSettings({ theme, notifies, showsContents }: Settings): void {
  write(THEME_KEY, theme === "system" ? undefined : theme)
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
