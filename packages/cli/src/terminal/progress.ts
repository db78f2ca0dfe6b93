import { clearLine, cursorTo } from "node:readline"
import type { Terminal } from "./terminal.js"
import { fitted } from "./width.js"

const PATIENCE_MILLISECONDS = 1_000
const REWRITE_MILLISECONDS = 250
/** Where nothing can be rewritten, a line now and then. */
const REPEAT_MILLISECONDS = 10_000

export interface Progress extends Disposable {
  update(label: string): void
}

/** Says on standard error what goes on, from one second on and until it is disposed of. */
export function showProgress({ errors, errorStyle, environment, glyphs }: Terminal, label: string): Progress {
  const begin = performance.now()
  const canRewrite = errors.isTTY === true && environment.TERM !== "dumb"
  let current = label
  let isShown = false
  const show = () => {
    isShown = true
    const seconds = Math.floor((performance.now() - begin) / 1000)
    const line = `${current} ${glyphs.ellipsis} ${seconds} s`
    if (!canRewrite) return void errors.write(`${line}\n`)
    cursorTo(errors, 0)
    errors.write(errorStyle.dim(fitted(line, (errors.columns || 80) - 1, glyphs.ellipsis)))
    clearLine(errors, 1)
  }
  let repeat: NodeJS.Timeout | undefined
  const first = setTimeout(() => {
    show()
    repeat = setInterval(show, canRewrite ? REWRITE_MILLISECONDS : REPEAT_MILLISECONDS)
  }, PATIENCE_MILLISECONDS)
  return {
    update: (text) => {
      current = text
    },
    [Symbol.dispose]() {
      clearTimeout(first)
      clearInterval(repeat)
      if (!isShown || !canRewrite) return
      cursorTo(errors, 0)
      clearLine(errors, 0)
    },
  }
}

/** Shows `label` while `work` takes longer than a second. */
export async function withProgress<T>(terminal: Terminal, label: string, work: () => Promise<T>): Promise<T> {
  using _progress = showProgress(terminal, label)
  return await work()
}
