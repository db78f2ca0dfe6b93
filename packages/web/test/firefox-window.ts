/** What tests ask of a browser beside its pages: by Playwright in Chromium, in Firefox's own window where Playwright cannot. */
import assert from "node:assert/strict"
import { once } from "node:events"
import { type IncomingMessage, request } from "node:http"
import { text } from "node:stream/consumers"
import type { BrowserContext, Page } from "playwright-core"

/** Where the relay of each Firefox takes functions. */
const sockets = new WeakMap<BrowserContext, string>()

export function knowWindow(context: BrowserContext, socketPath: string): void {
  sockets.set(context, socketPath)
}

export interface Media {
  readonly colorScheme?: "light" | "dark"
  readonly forcedColors?: "active" | "none"
  readonly reducedMotion?: "reduce" | "no-preference"
  readonly media?: "print" | "screen"
}

/** What the page is shown on: as `Page.emulateMedia`. */
export async function showOn(page: Page, media: Media): Promise<void> {
  const socketPath = sockets.get(page.context())
  if (socketPath === undefined) await page.emulateMedia(media)
  else await run(socketPath, SET_MEDIA, media)
}

/** Lets the page use the camera, which shows a moving picture of the browser's own. In Firefox the profile lets every page. */
export async function allowCamera(page: Page): Promise<void> {
  if (!sockets.has(page.context())) await page.context().grantPermissions(["camera"])
}

/** The text that the page has copied. */
export async function clipboardOf(page: Page): Promise<string> {
  const socketPath = sockets.get(page.context())
  if (socketPath !== undefined) return run(socketPath, "() => navigator.clipboard.readText()")
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"])
  return page.evaluate(() => navigator.clipboard.readText())
}

/** Deletes the databases of the page, as somebody who clears the browser's data. */
export async function clearDatabases(page: Page): Promise<void> {
  const { origin } = new URL(page.url())
  const socketPath = sockets.get(page.context())
  if (socketPath !== undefined) {
    await run(socketPath, CLEAR_DATABASES, origin)
    return
  }
  const session = await page.context().newCDPSession(page)
  await session.send("Storage.clearDataForOrigin", { origin, storageTypes: "indexeddb" })
}

/** The names are those of `BrowsingContext`. */
const SET_MEDIA = `(given) => {
  const { colorScheme, forcedColors, reducedMotion, media } = JSON.parse(given)
  const windows = [...Services.wm.getEnumerator("navigator:browser")]
  for (const { browsingContext } of windows.flatMap(({ gBrowser }) => gBrowser.browsers)) {
    if (colorScheme !== undefined) browsingContext.prefersColorSchemeOverride = colorScheme
    if (forcedColors !== undefined) browsingContext.forcedColorsOverride = forcedColors
    if (reducedMotion !== undefined) browsingContext.prefersReducedMotionOverride = reducedMotion
    if (media !== undefined) browsingContext.mediumOverride = media
  }
}`

const CLEAR_DATABASES = `async (given) => {
  const principal = Services.scriptSecurityManager.createContentPrincipalFromOrigin(JSON.parse(given))
  const clearing = Services.qms.clearStoragesForClient(principal, "idb")
  await new Promise((resolve) => {
    clearing.callback = resolve
  })
}`

async function run(socketPath: string, functionDeclaration: string, given: unknown = null): Promise<string> {
  const asking = request({ socketPath, method: "POST" })
  asking.end(JSON.stringify({ functionDeclaration, given }))
  const [answer] = (await once(asking, "response")) as [IncomingMessage]
  const said = await text(answer)
  assert.equal(answer.statusCode, 200, said)
  return said
}
