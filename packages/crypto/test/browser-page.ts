import { portableProvider } from "../src/portable/provider.js"
import { webProvider } from "../src/web/provider.js"
import { transcript } from "./transcript.js"

/** What `browser.test.ts` finds in the page. */
export interface BrowserAnswers {
  readonly web: Record<string, string>
  readonly portable: Record<string, string>
  /** How many of 100,000 random bytes are zero: one in 256, where all of them were drawn. */
  readonly zeros: number
}

Object.assign(globalThis, {
  async answer(): Promise<BrowserAnswers> {
    const web = await webProvider()
    const zeros = web.random(100_000).filter((byte) => byte === 0).length
    return { web: transcript(web), portable: transcript(portableProvider()), zeros }
  },
})
