import type { Entry } from "@conclave/contracts/delivery"

/** What is stored of a position. */
export interface StoredPosition {
  /** Everything up to this seq has been followed. */
  readonly cursor: bigint
  /** The log chain's hash at the cursor, 32 bytes; empty where it is not known. */
  readonly chainHash: Uint8Array
  /** The last commit entry up to the cursor, 0 where there is none; `undefined` where that is not known. */
  readonly lastCommit: bigint | undefined
}

/** The service's signature over the head that ends what it has shown. */
export interface ToldHead {
  readonly seq: bigint
  readonly incarnation: bigint
  readonly signature: Uint8Array
}

/** How far the log has been followed, how far it is known to go, and the entries in between that have been brought. */
export class Position {
  #stored: StoredPosition
  #head: bigint | undefined
  /** A page that was read, from the cursor on. */
  #page: readonly Entry[] = []
  #pageAt = 0
  /** What the stream has brought, in order. */
  #streamed: Entry[] = []
  #told: ToldHead | undefined
  /** The cursor at which the service was asked for the last commit. */
  #askedAt: bigint | undefined

  constructor(stored: StoredPosition) {
    this.#stored = stored
  }

  get stored(): StoredPosition {
    return this.#stored
  }

  get cursor(): bigint {
    return this.#stored.cursor
  }

  get chainHash(): Uint8Array {
    return this.#stored.chainHash
  }

  get lastCommit(): bigint | undefined {
    return this.#stored.lastCommit
  }

  /** How far the log is known to go, where that is known. */
  get head(): bigint | undefined {
    return this.#head
  }

  /** The service's signature over the entry at the cursor, where it has been told and not been taken. */
  get told(): ToldHead | undefined {
    return this.#told?.seq === this.cursor ? this.#told : undefined
  }

  takeTold(): void {
    this.#told = undefined
  }

  /** Whether the log has been followed as far as it is known to go; never before that has been asked. */
  get isAtHead(): boolean {
    return this.#head !== undefined && this.cursor >= this.#head
  }

  /** Entries that wait. */
  get waiting(): number {
    return this.#page.length - this.#pageAt + this.#streamed.length
  }

  /** Whether a commit waits: one that this device makes now would come too late. */
  get bringsCommit(): boolean {
    const isCommit = ({ seq, kind }: Entry) => kind === "commit" && seq > this.cursor
    return this.#page.some(isCommit) || this.#streamed.some(isCommit)
  }

  /** The size of what the stream has brought and nobody has taken, in bytes. */
  get waitingBytes(): number {
    return bytesOf(this.#streamed)
  }

  /** Whether the service should be asked for the last commit: once at each cursor, and when the head is in doubt. */
  get needsLastCommit(): boolean {
    return this.lastCommit === undefined && this.#askedAt !== this.cursor
  }

  /** The answer to that question; one after the cursor will be read, and known then. */
  learnLastCommit(lastCommit: bigint | undefined): void {
    this.#askedAt = this.cursor
    if (lastCommit !== undefined && lastCommit <= this.cursor) this.#stored = { ...this.#stored, lastCommit }
  }

  forgetLastCommit(): void {
    this.#stored = { ...this.#stored, lastCommit: undefined }
  }

  /**
   * The entry to follow next, if it has been brought. A page has to begin after the cursor: what it has in that place is
   * returned, whatever its seq.
   */
  next(): Entry | undefined {
    while (this.#pageAt < this.#page.length) {
      const entry = this.#page[this.#pageAt]!
      if (entry.seq > this.cursor) return entry
      this.#pageAt++
    }
    this.#page = []
    this.#pageAt = 0
    const from = this.#streamed.findIndex(({ seq }) => seq > this.cursor)
    if (from !== 0) this.#streamed.splice(0, from === -1 ? this.#streamed.length : from)
    const [entry] = this.#streamed
    return entry?.seq === this.cursor + 1n ? entry : undefined
  }

  /** Whether it holds or not, a commit is what the service compares the next one with. */
  followed({ seq, chainHash, kind }: Pick<Entry, "seq" | "chainHash" | "kind">): void {
    this.#stored = { cursor: seq, chainHash, lastCommit: kind === "commit" ? seq : this.lastCommit }
  }

  /** The stream has brought entries, in order. */
  bring(entries: readonly Entry[], headSeq: bigint, told: ToldHead | undefined): void {
    this.#streamed.push(...entries)
    this.#tell(told)
    if (this.#head === undefined || this.#head < headSeq) this.#head = headSeq
  }

  /** A page after the cursor has been read. The stream may have brought more meanwhile. */
  read(page: readonly Entry[], headSeq: bigint, told: ToldHead | undefined): void {
    this.#tell(told)
    this.#page = page
    this.#pageAt = 0
    const next = this.#streamed.find(({ seq }) => seq > this.cursor)
    if (next !== undefined && next.seq > headSeq + 1n) {
      // Nothing leads there. It may be that the page is older: how far the log goes is asked again.
      this.#streamed = []
      this.doubtHead()
      return
    }
    const last = this.#streamed.at(-1)?.seq ?? headSeq
    this.#head = last > headSeq ? last : headSeq
  }

  /** The service has placed an entry of this device's after the cursor. */
  placed(entry: Entry, told: ToldHead): void {
    this.#tell(told)
    this.#page = [entry, ...this.#page.slice(this.#pageAt)]
    this.#pageAt = 0
    this.reaches(entry.seq)
  }

  #tell(told: ToldHead | undefined): void {
    if (told === undefined) return
    if (this.#told === undefined || this.#told.seq <= this.cursor || this.#told.seq < told.seq) this.#told = told
  }

  /** The log goes at least to `seq`. */
  reaches(seq: bigint): void {
    if (this.#head !== undefined && this.#head < seq) this.#head = seq
  }

  /** How far the log goes has to be asked again. */
  doubtHead(): void {
    this.#head = undefined
    this.#askedAt = undefined
  }

  /** What was brought is not to be trusted, or of no use: it is read again. */
  forget(): void {
    this.#page = []
    this.#pageAt = 0
    this.#streamed = []
    this.#told = undefined
    this.doubtHead()
  }

  /** Another place in the log, whose entries have to be read. */
  move(stored: StoredPosition): void {
    this.#stored = stored
    this.forget()
  }

  /** What is stored, after the store had to be read again. */
  reload(stored: StoredPosition): void {
    this.#stored = stored
    this.#askedAt = undefined
    this.#page = []
    this.#pageAt = 0
  }
}

export function bytesOf(entries: readonly Entry[]): number {
  return entries.reduce((size, { body }) => size + body.length, 0)
}
