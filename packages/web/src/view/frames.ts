/** In a page that nobody sees there are no frames. */
const HIDDEN_MILLISECONDS = 250
/** Drawing takes a third of the time at most, however much comes. */
const SHARE = 3

/**
 * Draws once for all that changes until the next frame, and less often where drawing takes long. `request` asks for it;
 * `cancel` ends it.
 */
export function frames(draw: () => void): { readonly request: () => void; readonly cancel: () => void } {
  let frame: number | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let notBefore = 0
  const cancel = () => {
    if (frame !== undefined) cancelAnimationFrame(frame)
    clearTimeout(timer)
    frame = undefined
    timer = undefined
  }
  const drawNow = () => {
    cancel()
    const begun = performance.now()
    draw()
    // The view is drawn in a microtask, and laid out with the frame: over when the next task has its turn.
    setTimeout(() => {
      notBefore = begun + SHARE * (performance.now() - begun)
    }, 0)
  }
  const ask = () => {
    timer = setTimeout(drawNow, HIDDEN_MILLISECONDS)
    frame = requestAnimationFrame(drawNow)
  }
  const request = () => {
    if (timer !== undefined) return
    const wait = notBefore - performance.now()
    if (wait <= 0) ask()
    else timer = setTimeout(ask, Math.min(wait, HIDDEN_MILLISECONDS))
  }
  return { request, cancel }
}
