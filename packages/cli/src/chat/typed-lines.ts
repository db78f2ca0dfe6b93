/** Lines that somebody types, and lines that come in between. */
export interface Screen {
  /** Whether somebody types here: otherwise the lines come from a pipe or a file. */
  readonly isInteractive: boolean
  print(text: string): void
  setPrompt(prompt: string): void
  close(): void
}

export interface ScreenListener {
  /** A line was entered. `beginsPasted`: what it begins with was pasted and not typed; it may have several lines then. */
  line(text: string, beginsPasted: boolean): void
  /** Ctrl-C on an empty line, Ctrl-D, or the end of what was piped in. */
  end(): void
  /** What a Tab may complete, for what has been typed so far. */
  complete(typed: string): readonly string[]
}
