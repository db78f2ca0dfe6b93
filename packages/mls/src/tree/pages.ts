/**
 * A long array in pages, which a copy shares with its original until one of the two writes: the next epoch's tree
 * differs from this one's in a few nodes, and copying all of them took longer than the commit's cryptography.
 */
export class Pages<P> {
  #pages: P[]
  /** Whether nobody else reads the page. */
  #own: boolean[]
  readonly #kind: PageKind<P>

  constructor(kind: PageKind<P>, pages: P[] = []) {
    this.#kind = kind
    this.#pages = pages
    this.#own = pages.map(() => true)
  }

  /** Both go on as if they were alone. */
  copy(): Pages<P> {
    const copy = new Pages(this.#kind, this.#pages.slice())
    copy.#own.fill(false)
    this.#own.fill(false)
    return copy
  }

  read(page: number): P | undefined {
    return this.#pages[page]
  }

  /** A page that may be changed. */
  write(page: number): P {
    if (!this.#own[page]) {
      this.#pages[page] = this.#kind.copy(this.#pages[page]!)
      this.#own[page] = true
    }
    return this.#pages[page]!
  }

  resize(count: number): void {
    while (this.#pages.length < count) {
      this.#pages.push(this.#kind.empty())
      this.#own.push(true)
    }
    this.#pages.length = count
    this.#own.length = count
  }
}

export interface PageKind<P> {
  empty(): P
  copy(page: P): P
}

/** Nodes on a page: enough for few pages, few enough that copying some does not matter. */
export const PAGE_SIZE = 64
const PAGE_BITS = 6

// Trees have less than 2³⁰ nodes, so that bitwise operators do.
export const pageOf = (index: number): number => index >> PAGE_BITS
export const placeOn = (index: number): number => index & (PAGE_SIZE - 1)
export const pageCount = (length: number): number => Math.ceil(length / PAGE_SIZE)

/** An array of values that are never changed themselves, in {@link Pages}. */
export class PagedArray<T> {
  readonly #pages: Pages<(T | undefined)[]>
  #length: number

  private constructor(pages: Pages<(T | undefined)[]>, length: number) {
    this.#pages = pages
    this.#length = length
  }

  static of<T>(values: readonly (T | undefined)[]): PagedArray<T> {
    const pages: (T | undefined)[][] = []
    for (let at = 0; at < values.length; at += PAGE_SIZE) pages.push(values.slice(at, at + PAGE_SIZE))
    const kind = { empty: () => [], copy: (page: (T | undefined)[]) => page.slice() }
    return new PagedArray(new Pages(kind, pages), values.length)
  }

  copy(): PagedArray<T> {
    return new PagedArray(this.#pages.copy(), this.#length)
  }

  get length(): number {
    return this.#length
  }

  /** Whatever is added is `undefined`. */
  resize(length: number): void {
    for (let at = length; at < this.#length && placeOn(at) !== 0; at++) this.set(at, undefined)
    this.#pages.resize(pageCount(length))
    this.#length = length
  }

  get(index: number): T | undefined {
    return this.#pages.read(pageOf(index))?.[placeOn(index)]
  }

  /** A value that means the same as the one that was there, for all who share the page. */
  replaceEverywhere(index: number, value: T): void {
    this.#pages.read(pageOf(index))![placeOn(index)] = value
  }

  set(index: number, value: T | undefined): void {
    if (index >= this.#length) throw new RangeError(`${index} of ${this.#length}`)
    this.#pages.write(pageOf(index))[placeOn(index)] = value
  }
}
