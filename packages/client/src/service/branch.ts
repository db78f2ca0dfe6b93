/// <reference lib="esnext.disposable" preserve="true" />
/** Those that hang on each signal. */
const branches = new WeakMap<AbortSignal, Set<AbortController>>()

/**
 * A signal for one of many that wait at the same time: it is aborted with `signal`, which has one listener however many
 * they are (Node warns of more than ten, as if they were forgotten). Dispose of it when the waiting is over.
 */
export function branch(signal: AbortSignal): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController()
  if (signal.aborted) controller.abort(signal.reason)
  const all = branches.get(signal) ?? listen(signal)
  all.add(controller)
  return { signal: controller.signal, [Symbol.dispose]: () => void all.delete(controller) }
}

function listen(signal: AbortSignal): Set<AbortController> {
  const all = new Set<AbortController>()
  branches.set(signal, all)
  signal.addEventListener("abort", () => {
    for (const controller of all) controller.abort(signal.reason)
  })
  return all
}
