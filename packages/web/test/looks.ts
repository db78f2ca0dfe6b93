import assert from "node:assert/strict"
import { audit } from "./audit.js"
import { axeFindings } from "./axe.js"
import { type Person, showOn } from "./person.js"

/** A screen, a tablet, a phone and a small phone, in pixels. */
const WIDTHS = [1280, 768, 390, 320]

/**
 * Looks at what is in front at all widths, in light, in dark and in the system's own few colours: nothing is wider than
 * the page, nobody stumbles, and there is a picture of each.
 */
export async function everyLook(person: Person, name: string): Promise<void> {
  const { page } = person
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: width < 760 ? 780 : 800 })
    for (const look of ["light", "dark", "forced"] as const) {
      const isForced = look === "forced"
      await showOn(page, {
        colorScheme: look === "dark" ? "dark" : "light",
        forcedColors: isForced ? "active" : "none",
      })
      const found = await audit(page)
      // The system answers for the contrast of its own colours.
      const ours = isForced ? found.filter((it) => !it.includes("contrast")) : found
      const axes = await axeFindings(page, { isForced })
      await person.screenshot(`state-${name}-${look}-${width}`)
      const hidden = await page.evaluate(() =>
        [...document.querySelectorAll("dialog[open]")].filter(
          (it) => !it.checkVisibility({ checkVisibilityCSS: true }),
        ),
      )
      assert.equal(hidden.length, 0, `${name}, ${width} pixels wide: a dialog is open that nobody sees`)
      assert.deepEqual([...ours, ...axes], [], `${name}, ${look}, ${width} pixels wide`)
    }
  }
  await showOn(page, { colorScheme: "light", forcedColors: "none" })
  await page.setViewportSize({ width: 1280, height: 800 })
}
