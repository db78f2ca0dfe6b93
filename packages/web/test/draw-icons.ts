/**
 * Draws `public/favicon.svg` as the pictures that systems want of a page that is installed. They are in the repository: run
 * this after the drawing has changed.
 *
 *   npm run draw-icons --workspace @conclave/web
 */
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { chromium } from "playwright-core"
import { executablePath } from "./person.js"

const folder = fileURLToPath(new URL("../../../public/", import.meta.url))
const drawing = readFileSync(`${folder}favicon.svg`, "utf8")
/** Systems that cut a shape of their own out of it want the ground to its edges. */
const uncut = drawing.replace(' rx="8"', "")

const pictures = [
  { name: "icon-192", size: 192, svg: drawing },
  { name: "icon-512", size: 512, svg: drawing },
  { name: "icon-maskable-512", size: 512, svg: uncut },
  { name: "icon-180", size: 180, svg: uncut },
]

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] })
const page = await browser.newPage()
for (const { name, size, svg } of pictures) {
  await page.setViewportSize({ width: size, height: size })
  await page.setContent(`<body style="margin:0">${svg.replace("<svg ", `<svg width="${size}" style="display:block" `)}`)
  writeFileSync(`${folder}${name}.png`, await page.screenshot({ omitBackground: true }))
}
await browser.close()
