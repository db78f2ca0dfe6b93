import { chmodSync, existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { type BrowserContext, chromium, firefox } from "playwright-core"
import { knowWindow } from "./firefox-window.js"

export type BrowserName = "chromium" | "firefox"

/** In which the tests run that name none: `BROWSER=firefox npm run test:browser`. */
export const browserName: BrowserName = process.env.BROWSER === "firefox" ? "firefox" : "chromium"

export interface Look {
  /** Default: {@link browserName}. */
  readonly browser?: BrowserName
  readonly width?: number
  readonly height?: number
  readonly colorScheme?: "light" | "dark"
  readonly reducedMotion?: "reduce" | "no-preference"
  /** Of the browser's text, in pixels, as somebody sets it who reads badly. Default: 16. */
  readonly fontSize?: number
  /** What the browser is set to, as `de-AT`. Default: en-GB. */
  readonly locale?: string
}

export const executablePath = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium"
const noChromium = existsSync(executablePath) ? false : `no Chromium at ${executablePath}`

const firefoxPath = process.env.FIREFOX_PATH ?? "/usr/bin/firefox-esr"
/** Why nothing is tested in Firefox; it has to be there where `CONCLAVE_FIREFOX_REQUIRED` is 1. */
export const noFirefox = existsSync(firefoxPath) ? false : `no Firefox at ${firefoxPath}`
/** Why nothing is tested in the browser that was asked for. */
export const noBrowser = browserName === "firefox" ? noFirefox : noChromium
/** The same, of a test that can run in Chromium alone: it says why. */
export const onlyChromium = (why: string) => (browserName === "firefox" ? `not in Firefox: ${why}` : noChromium)
if (noFirefox !== false && process.env.CONCLAVE_FIREFOX_REQUIRED === "1") throw new Error(noFirefox)

const args = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // A camera that shows a moving circle.
  "--use-fake-device-for-media-stream",
]

/** The last settings count, so those of Playwright are repeated: a mouse, which hovers. */
const mouse = "primaryHoverType=2,availableHoverTypes=2,primaryPointerType=4,availablePointerTypes=4"
const argsFor = (fontSize: number) =>
  fontSize === 16 ? args : [...args, `--blink-settings=${mouse},defaultFontSize=${fontSize}`]

/** Starts a browser with what its profile folder holds from before. */
export async function launch(folder: string, look: Look): Promise<BrowserContext> {
  const { browser = browserName, width = 1280, height = 800, colorScheme = "light", reducedMotion = "reduce" } = look
  const { locale = "en-GB", fontSize = 16 } = look
  const common = { viewport: { width, height }, locale, timezoneId: "Europe/Berlin" }
  if (browser === "chromium") {
    return chromium.launchPersistentContext(folder, {
      ...common,
      executablePath,
      args: argsFor(fontSize),
      colorScheme,
      reducedMotion,
    })
  }
  const socket = join(folder, "window")
  const context = await firefox.launchPersistentContext(folder, {
    ...common,
    // As its maker ships it, by WebDriver BiDi.
    channel: "moz-firefox",
    executablePath: relayTo(folder),
    env: { ...process.env, FIREFOX: firefoxPath, FIREFOX_WINDOW: socket },
    firefoxUserPrefs: {
      "layout.css.prefers-color-scheme.content-override": colorScheme === "dark" ? 0 : 1,
      "font.size.variable.x-western": fontSize,
      "ui.prefersReducedMotion": reducedMotion === "reduce" ? 1 : 0,
      // A mouse, which hovers: without a screen there is none.
      "ui.primaryPointerCapabilities": 6,
      "ui.allPointerCapabilities": 6,
      // What a new profile would ask of the network, and show before the page.
      "app.normandy.enabled": false,
      "browser.aboutwelcome.enabled": false,
      "browser.safebrowsing.update.enabled": false,
      "datareporting.policy.dataSubmissionEnabled": false,
      "extensions.systemAddon.update.enabled": false,
      "network.captive-portal-service.enabled": false,
      "services.settings.server": "data:,",
      // A camera that shows something, asked for by nobody; BiDi has no permission for it.
      "media.navigator.streams.fake": true,
      "media.navigator.permission.disabled": true,
    },
  })
  // Firefox 153 crashes where a script asks for it, as Playwright and axe-core do for names. Both can do without.
  await context.addInitScript(() => Reflect.deleteProperty(Element.prototype, "ariaLabelledByElements"))
  knowWindow(context, socket)
  return context
}

/** A program that Playwright can start: see `firefox-relay.ts`. */
function relayTo(folder: string): string {
  const path = join(folder, "firefox-relay")
  const relay = fileURLToPath(new URL("firefox-relay.js", import.meta.url))
  writeFileSync(path, `#!/bin/sh\nexec '${process.execPath}' '${relay}' "$@"\n`)
  chmodSync(path, 0o755)
  return path
}
