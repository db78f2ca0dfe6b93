import type { Timeline } from "./timeline.js"

const realImmediate = setImmediate

/** Resolves when nothing is left that goes on by itself: what the simulation runs waits for its timeline alone. */
export function settled(): Promise<void> {
  return new Promise((resolve) => realImmediate(resolve))
}

type Globals = Pick<
  typeof globalThis,
  "setTimeout" | "clearTimeout" | "setInterval" | "setImmediate" | "clearImmediate"
>

/**
 * While `run` is under way, the platform's timers are those of the timeline: the services use them. The SDK gets its
 * timers by parameters; it may not reach for the platform's, nor may anything ask for the real time or for real
 * randomness: `leaked` is told if it does.
 */
export async function onVirtualPlatform<T>(
  timeline: Timeline,
  leaked: (what: string) => void,
  run: () => Promise<T>,
): Promise<T> {
  const cancels = new Map<object, () => void>()
  const start = (callback: (...values: unknown[]) => void, milliseconds: number, values: unknown[]) => {
    if (isOfSdk(new Error().stack ?? "")) leaked("a timer of the platform's")
    const handle = { unref: () => handle, ref: () => handle, hasRef: () => true }
    const cancel = timeline.after(milliseconds, "the service's timer", () => callback(...values))
    cancels.set(handle, cancel)
    return handle
  }
  const stop = (handle: object | undefined) => {
    if (handle !== undefined) cancels.get(handle)?.()
  }
  const virtual = {
    setTimeout: (callback: () => void, milliseconds = 0, ...values: unknown[]) => start(callback, milliseconds, values),
    clearTimeout: stop,
    setInterval: () => leaked("an interval"),
    setImmediate: (callback: () => void, ...values: unknown[]) => start(callback, 0, values),
    clearImmediate: stop,
  }
  const real: Globals = { setTimeout, clearTimeout, setInterval, setImmediate, clearImmediate }
  const { now } = Date
  const { random } = Math
  const elapsed = performance.now
  const { getRandomValues } = crypto
  const { stackTraceLimit } = Error
  // Whoever starts a timer is among the first; the rest takes longer than the timer.
  Error.stackTraceLimit = 4
  Object.assign(globalThis, virtual)
  Date.now = () => {
    leaked("the real time")
    return timeline.now
  }
  performance.now = () => {
    leaked("the platform's clock")
    return timeline.elapsed
  }
  Math.random = () => {
    leaked("Math.random")
    return 0.5
  }
  crypto.getRandomValues = (array) => {
    leaked("the platform's randomness")
    return array
  }
  try {
    return await run()
  } finally {
    Object.assign(globalThis, real)
    Date.now = now
    Math.random = random
    performance.now = elapsed
    crypto.getRandomValues = getRandomValues
    Error.stackTraceLimit = stackTraceLimit
  }
}

/** The line that called is the first of those that are not of this file. */
function isOfSdk(stack: string): boolean {
  const caller = stack.split("\n").find((line) => line.includes("/dist/") && !line.includes("/platform.js"))
  return caller?.includes("/client/dist/src/") ?? false
}
