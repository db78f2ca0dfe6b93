import type { Handler } from "@conclave/transport"

export const utf8 = (text: string) => new TextEncoder().encode(text)
export const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

/** Answers with what it was asked. */
export const echo: Handler = async function* (request) {
  yield request
}

/** Counts for ever, as fast as it is asked, and tells how far it came. */
export function counter(): {
  readonly handler: Handler
  readonly counted: () => number
  readonly stopped: () => boolean
} {
  let counted = 0
  let stopped = false
  return {
    counted: () => counted,
    stopped: () => stopped,
    async *handler(request) {
      const size = Number(text(request))
      try {
        for (;;) yield new Uint8Array(size).fill(counted++ % 256)
      } finally {
        stopped = true
      }
    },
  }
}

/** Says nothing until its asker is gone. */
export function silent(): {
  readonly handler: Handler
  readonly entered: Promise<void>
  readonly left: Promise<void>
} {
  const [entered, enter] = event()
  const [left, leave] = event()
  return {
    entered,
    left,
    async *handler(_, { signal }) {
      enter()
      if (!signal.aborted) {
        await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }))
      }
      leave()
    },
  }
}

function event(): [happened: Promise<void>, happen: () => void] {
  let happen = () => {}
  const happened = new Promise<void>((resolve) => {
    happen = resolve
  })
  return [happened, () => happen()]
}

export const broken: Handler = async function* () {
  yield* []
  throw new Error("a secret that nobody outside may see")
}
