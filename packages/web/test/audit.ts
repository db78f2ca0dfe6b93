import type { Page } from "playwright-core"

/**
 * What somebody who reads badly, or hears the page, or uses it by keyboard would stumble over: every finding as a line.
 * Runs inside the page, over what is visible at the moment.
 */
export async function audit(page: Page): Promise<readonly string[]> {
  await heardOfWidth(page)
  // Colours that are on their way to others are not what one reads.
  await page.evaluate(() => Promise.allSettled(document.getAnimations().map(({ finished }) => finished)))
  return page.evaluate(findings)
}

/**
 * Until the page is drawn as its width asks: which pane is its main part is known from a media query, whose change comes with a
 * frame; what follows from it is drawn in a task after that.
 */
async function heardOfWidth(page: Page): Promise<void> {
  await page.evaluate(async () => {
    for (let frames = 0; frames < 2; frames++)
      await new Promise<void>((resolve) => requestAnimationFrame(() => setTimeout(resolve)))
  })
}

function findings(): string[] {
  const found: string[] = []
  const open = document.querySelector("dialog[open]")
  const scope = open ?? document.body
  const elements = [...scope.querySelectorAll<HTMLElement>("*")].filter(isVisible)
  for (const element of elements) {
    if (isInteractive(element)) auditControl(element)
    auditText(element)
    auditWidth(element)
  }
  if (open === null) auditLandmarks()
  if (document.documentElement.scrollWidth > innerWidth)
    found.push(`the page is ${document.documentElement.scrollWidth} wide`)
  const ids = [...document.querySelectorAll("[id]")].map(({ id }) => id)
  for (const id of new Set(ids.filter((id, at) => ids.indexOf(id) !== at))) found.push(`the id ${id} is there twice`)
  return found

  function describe(element: Element): string {
    return `<${element.tagName.toLowerCase()} class="${element.getAttribute("class") ?? ""}"> ${(element.textContent ?? "").trim().slice(0, 40)}`
  }

  function isVisible(element: HTMLElement | SVGElement): boolean {
    return element.checkVisibility({ checkVisibilityCSS: true, checkOpacity: true })
  }

  function isInteractive(element: HTMLElement): boolean {
    return element.matches("a[href], button, input, textarea, select, summary")
  }

  function auditControl(element: HTMLElement): void {
    if (nameOf(element) === "") found.push(`${describe(element)} has no name`)
    const { width, height } = element.getBoundingClientRect()
    // WCAG 2.2, 2.5.8: except in a sentence, at least 24 by 24.
    const inSentence = element.closest("p") !== null || element.matches("summary")
    if (!inSentence && (width < 24 || height < 24)) found.push(`${describe(element)} is ${width} by ${height}`)
  }

  /** Nothing is scrolled sideways but what is meant to be, no control is outside the window, and no label is cut off. */
  function auditWidth(element: HTMLElement): void {
    const meant = element.closest(".code-block, .tree-scroll") !== null
    const { overflowX } = getComputedStyle(element)
    const isWide = element.scrollWidth > element.clientWidth + 1
    if (!meant && isWide && (overflowX === "auto" || overflowX === "scroll"))
      found.push(`${describe(element)} is ${element.scrollWidth} wide in ${element.clientWidth}`)
    if (meant || !isInteractive(element)) return
    if (isWide && element.matches("button, .button") && getComputedStyle(element).display !== "inline")
      found.push(`${describe(element)} is cut off`)
    const { left, right } = element.getBoundingClientRect()
    if (left < -1 || right > innerWidth + 1) found.push(`${describe(element)} is from ${left} to ${right}`)
  }

  function nameOf(element: HTMLElement): string {
    const labelled = (element.getAttribute("aria-labelledby") ?? "")
      .split(/\s+/)
      .map((id) => document.getElementById(id)?.textContent ?? "")
      .join(" ")
    const label = element.getAttribute("aria-label") ?? ""
    if (element instanceof HTMLInputElement || element instanceof HTMLTextAreaElement) {
      return (label + labelled + [...(element.labels ?? [])].map((it) => it.textContent).join(" ")).trim()
    }
    return (label + labelled + (element.textContent ?? "")).trim()
  }

  function auditLandmarks(): void {
    const mains = [...document.querySelectorAll<HTMLElement>("main, [role=main]")].filter(isVisible)
    const others = [
      ...document.querySelectorAll<HTMLElement>("nav, aside, [role=navigation], [role=complementary]"),
    ].filter(isVisible)
    if (mains.length + others.length === 0) found.push("there is no landmark")
    if (mains.length > 1) found.push(`there are ${mains.length} main landmarks`)
    for (const other of others) if (nameAttribute(other) === "") found.push(`${describe(other)} has no label`)
    const headings = [...document.querySelectorAll<HTMLElement>('h1, [aria-level="1"]')].filter(isVisible)
    if (mains.length === 1 && headings.length !== 1)
      found.push(`there are ${headings.length} headings of the first level`)
  }

  function nameAttribute(element: Element): string {
    return element.getAttribute("aria-label") ?? element.getAttribute("aria-labelledby") ?? ""
  }

  /** WCAG 2.2, 1.4.3: 4.5 to 1, and 3 to 1 for large text. */
  function auditText(element: HTMLElement): void {
    const own = [...element.childNodes].some(
      (node) => node.nodeType === Node.TEXT_NODE && node.textContent?.trim() !== "",
    )
    const isField = element instanceof HTMLInputElement || element instanceof HTMLTextAreaElement
    if ((!own && !isField) || element.closest(".visually-hidden, title, :disabled") !== null) return
    const style = getComputedStyle(element, isField && element.value === "" ? "::placeholder" : null)
    const isSvg = element instanceof SVGElement
    const colour = parse(isSvg ? style.fill : style.color)
    if (colour === undefined) return void found.push(`${describe(element)} has the colour ${style.color}`)
    const ground = groundOf(element)
    const ratio = contrast(over(colour, ground), ground)
    const size = Number.parseFloat(style.fontSize)
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700)
    if (ratio < (large ? 3 : 4.5)) found.push(`${describe(element)} has a contrast of ${ratio.toFixed(2)}`)
  }

  type Colour = readonly [red: number, green: number, blue: number, alpha: number]

  function parse(text: string): Colour | undefined {
    const parts = /^rgba?\(([^)]+)\)$/
      .exec(text)?.[1]
      ?.split(/[\s,/]+/)
      .map(Number)
    const mixed = /^color\(srgb ([^)]+)\)$/
      .exec(text)?.[1]
      ?.split(/[\s/]+/)
      .map(Number)
    if (parts !== undefined) return [parts[0] ?? 0, parts[1] ?? 0, parts[2] ?? 0, parts[3] ?? 1]
    if (mixed === undefined) return undefined
    return [255 * (mixed[0] ?? 0), 255 * (mixed[1] ?? 0), 255 * (mixed[2] ?? 0), mixed[3] ?? 1]
  }

  /** The colour behind: of the nearest ancestors that have one, laid over each other. */
  function groundOf(element: Element): Colour {
    const layers: Colour[] = []
    for (let at: Element | null = element; at !== null; at = at.parentElement) {
      const layer = parse(getComputedStyle(at).backgroundColor)
      if (layer === undefined || layer[3] === 0) continue
      layers.push(layer)
      if (layer[3] === 1) break
    }
    return layers.reduceRight<Colour>((ground, layer) => over(layer, ground), [255, 255, 255, 1])
  }

  function over(top: Colour, ground: Colour): Colour {
    const mix = (a: number, b: number) => a * top[3] + b * (1 - top[3])
    return [mix(top[0], ground[0]), mix(top[1], ground[1]), mix(top[2], ground[2]), 1]
  }

  function contrast(a: Colour, b: Colour): number {
    const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number]
    return (light + 0.05) / (dark + 0.05)
  }

  function luminance([red, green, blue]: Colour): number {
    const linear = (value: number) => (value <= 10.31475 ? value / 3294.6 : ((value / 255 + 0.055) / 1.055) ** 2.4)
    return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
  }
}
