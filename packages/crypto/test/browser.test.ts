import assert from "node:assert/strict"
import { existsSync } from "node:fs"
import { test } from "node:test"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"
import { chromium } from "playwright-core"
import { nodeProvider } from "../src/node/provider.js"
import type { BrowserAnswers } from "./browser-page.js"
import { transcript } from "./transcript.js"

const executablePath = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium"
const skip = existsSync(executablePath) ? false : `no Chromium at ${executablePath}`

/** Fails where anything behind the web or the portable entry needs a module of Node. */
async function bundle(): Promise<string> {
  const result = await build({
    entryPoints: [fileURLToPath(new URL("browser-page.js", import.meta.url))],
    bundle: true,
    format: "esm",
    platform: "browser",
    write: false,
    logLevel: "silent",
  })
  return result.outputFiles[0]!.text
}

test("the web and portable providers bundle for a browser: nothing of Node is behind them", async () => {
  const text = await bundle()
  assert.doesNotMatch(text, /from\s*"node:|require\("node:/)
})

test("in a real browser, both providers answer what node:crypto answers", { skip, timeout: 60_000 }, async () => {
  const expected = transcript(nodeProvider({ accelerate: false }))
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] })
  try {
    const page = await browser.newPage()
    await page.addScriptTag({ type: "module", content: await bundle() })
    await page.waitForFunction("typeof answer === 'function'")
    const answers = (await page.evaluate("answer()")) as BrowserAnswers
    assert.deepEqual(answers.web, expected)
    assert.deepEqual(answers.portable, expected)
    assert.ok(answers.zeros > 200 && answers.zeros < 600, `${answers.zeros} zeros`)
  } finally {
    await browser.close()
  }
})
