import { Rows } from "./rows.js"

/** What is in sight: a row, and how far below the upper edge of the area it begins. */
interface Anchor {
  readonly key: string
  readonly offset: number
}

export interface Drawn {
  readonly first: number
  readonly end: number
  /** Pixels of the rows before and after those that are drawn. */
  readonly above: number
  readonly below: number
}

/** Nearer to the end than this, new rows are followed; in pixels. */
const END_PIXELS = 80
const OVERSCAN_MIN = 600
/** A row that was looked for stands so far down, of the height of the area. */
const REVEALED_AT = 0.3
const LEFT_IN_SIGHT_PIXELS = 80
const HEIGHT_BEFORE_MEASURED = 800

/**
 * Draws the rows in sight and some around them. What is in sight stays where it is: rows may come, go and change their
 * heights above and below. Without an anchor the end is followed.
 */
export class Scroller {
  readonly rows = new Rows()
  readonly #isLasting: (key: string) => boolean
  #area: HTMLElement | null = null
  #list: HTMLElement | null = null
  #anchor: Anchor | undefined
  /** Rows that were in sight, from above: one of them will be there still. */
  #inSight: readonly Anchor[] = []
  #drawn: Drawn = { first: 0, end: 0, above: 0, below: 0 }
  #top = 0

  /** `isLasting`: whether the row with this key stays with what is around it; the line of a day goes on to earlier messages. */
  constructor(isLasting: (key: string) => boolean) {
    this.#isLasting = isLasting
  }

  attach(area: HTMLElement | null, list: HTMLElement | null): void {
    this.#area = area
    this.#list = list
  }

  /** The rows to draw. */
  draw(): Drawn {
    const { top, height } = this.#sight()
    const overscan = Math.max(height, OVERSCAN_MIN)
    const { first, end } = this.rows.between(top - overscan, top + height + overscan)
    this.#drawn = { first, end, above: this.rows.top(first), below: this.rows.total - this.rows.top(end) }
    return this.#drawn
  }

  /** After drawing: measures, and moves what was in sight back. Returns whether other rows are to be drawn. */
  settle(): boolean {
    const area = this.#area
    if (area === null || this.#list === null) return false
    this.#measure()
    if (this.#anchor === undefined) area.scrollTop = area.scrollHeight
    else this.#restore(area)
    this.#top = area.scrollTop
    return this.#isShort()
  }

  /** The user has scrolled, or the area has another height. Returns whether the end is in sight. */
  scrolled(isFollowing: boolean): boolean {
    const area = this.#area
    if (area === null) return isFollowing
    // Rows have become shorter, and the browser has moved what is left: nobody has scrolled.
    if (this.#measure()) {
      this.settle()
      return isFollowing
    }
    const isDown = area.scrollTop >= this.#top
    this.#top = area.scrollTop
    const isAtEnd = area.scrollHeight - area.scrollTop - area.clientHeight < END_PIXELS
    // What comes makes the way to the end longer; only the user goes up.
    const follows = isAtEnd || (isFollowing && isDown)
    this.#look()
    this.#anchor = follows ? undefined : this.#lastingInSight()
    return follows
  }

  /** Follows the end from here on, or stays where it is. */
  follow(isFollowing: boolean): void {
    if (isFollowing) this.#anchor = undefined
    else this.#anchor ??= this.#lastingInSight()
  }

  /** Puts a row in sight with the next drawing. */
  reveal(key: string): void {
    this.#anchor = { key, offset: REVEALED_AT * this.#sight().height }
  }

  /** Pixels that are left above and below what is in sight. */
  get left(): { readonly above: number; readonly below: number } {
    const area = this.#area
    if (area === null) return { above: 0, below: 0 }
    return { above: area.scrollTop, below: area.scrollHeight - area.scrollTop - area.clientHeight }
  }

  /** Whether other rows have to be drawn for what is in sight now. */
  #isShort(): boolean {
    const { top, height } = this.#actualSight()
    const margin = Math.max(height, OVERSCAN_MIN) / 2
    const { first, end } = this.rows.between(top - margin, top + height + margin)
    return first < this.#drawn.first || end > this.#drawn.end
  }

  isShort(): boolean {
    return this.#area !== null && this.#isShort()
  }

  /** Whether a row is above what is in sight. */
  isAbove(key: string): boolean {
    const index = this.rows.index(key)
    return index !== undefined && this.rows.top(index + 1) < this.#actualSight().top
  }

  /** Whether a row has another height than before. */
  #measure(): boolean {
    return this.#elements()
      .map((row) => this.rows.measure(row.dataset.key!, row.getBoundingClientRect().height))
      .some(Boolean)
  }

  #restore(area: HTMLElement): void {
    const anchor = this.#present()
    if (anchor === undefined) return
    this.#anchor = anchor
    const row = this.#elements().find((it) => it.dataset.key === anchor.key)
    if (row === undefined) return
    const { top, height } = row.getBoundingClientRect()
    // Of a row that was much longer a moment ago, the end stays in sight.
    const offset = Math.max(anchor.offset, Math.min(0, LEFT_IN_SIGHT_PIXELS - height))
    if (offset !== anchor.offset) this.#anchor = { key: anchor.key, offset }
    const moved = top - area.getBoundingClientRect().top - offset
    if (Math.abs(moved) >= 0.5) area.scrollTop += moved
    this.#look()
  }

  /** The anchor, or another row that was in sight with it where it is gone. */
  #present(): Anchor | undefined {
    const isThere = ({ key }: Anchor) => this.rows.index(key) !== undefined
    if (this.#anchor !== undefined && isThere(this.#anchor)) return this.#anchor
    return this.#inSight.find(isThere)
  }

  /** In pixels of the list, by the rows: what is to be in sight. */
  #sight(): { readonly top: number; readonly height: number } {
    const height = this.#area?.clientHeight || HEIGHT_BEFORE_MEASURED
    const anchor = this.#anchor === undefined ? undefined : this.#present()
    if (anchor === undefined) return { top: Math.max(0, this.rows.total - height), height }
    return { top: this.rows.top(this.rows.index(anchor.key)!) - anchor.offset, height }
  }

  /** What is in sight indeed. */
  #actualSight(): { readonly top: number; readonly height: number } {
    const { top = 0, height = HEIGHT_BEFORE_MEASURED } = this.#area?.getBoundingClientRect() ?? {}
    return { top: top - (this.#list?.getBoundingClientRect().top ?? 0), height }
  }

  #look(): void {
    if (this.#area === null) return
    const { top, bottom } = this.#area.getBoundingClientRect()
    const inSight: Anchor[] = []
    for (const row of this.#elements()) {
      const rect = row.getBoundingClientRect()
      if (rect.bottom > top && rect.top < bottom) inSight.push({ key: row.dataset.key!, offset: rect.top - top })
    }
    this.#inSight = inSight.length > 0 ? inSight : this.#undrawn()
  }

  /** Where the user has gone so far that nothing is drawn there: by the heights that are known, or guessed. */
  #undrawn(): readonly Anchor[] {
    const { top, height } = this.#actualSight()
    const { first, end } = this.rows.between(top, top + height)
    const indexes = Array.from({ length: end - first }, (_, at) => first + at)
    return indexes.map((index) => ({ key: this.rows.key(index)!, offset: this.rows.top(index) - top }))
  }

  #lastingInSight(): Anchor | undefined {
    return this.#inSight.find(({ key }) => this.#isLasting(key)) ?? this.#inSight[0]
  }

  #elements(): readonly HTMLElement[] {
    return [...(this.#list?.querySelectorAll<HTMLElement>(":scope > [data-key]") ?? [])]
  }
}
