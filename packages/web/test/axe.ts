import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import type { AxeResults } from "axe-core"
import type { Page } from "playwright-core"

/** Runs inside the page, whose policy of contents forbids scripts of others: the browser itself is asked to evaluate it. */
const source = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8")

type Axe = { readonly run: (context: Document, options: object) => Promise<AxeResults> }

/**
 * What axe-core finds, each rule of it, best practices included: a line for each element. `isForced`: the system answers for the
 * contrast of its own colours.
 */
export async function axeFindings(page: Page, { isForced = false } = {}): Promise<readonly string[]> {
  await page.evaluate(() => Promise.allSettled(document.getAnimations().map(({ finished }) => finished)))
  if (!(await page.evaluate(() => "axe" in globalThis))) await page.evaluate(source)
  return page.evaluate(async (isForced) => {
    const { axe } = globalThis as unknown as { readonly axe: Axe }
    const { violations } = await axe.run(document, {
      resultTypes: ["violations"],
      rules: { "color-contrast": { enabled: !isForced } },
    })
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(
        ({ target, failureSummary = "" }) => `${id}: ${target.join(" ")}: ${failureSummary.replace(/\s+/g, " ")}`,
      ),
    )
  }, isForced)
}
