/**
 * Work that may be interrupted: at each `yield` its caller may do something else before it goes on. There is one
 * algorithm for both ways of driving it, {@link toEnd} and slices of whatever length; what comes out is the same.
 *
 * Work that is left before its end is ended by `return()`: it destroys the secrets that it has made by then.
 */
export type Sliced<T> = Generator<undefined, T, undefined>

/** Does all of the work at once. */
export function toEnd<T>(work: Sliced<T>): T {
  for (;;) {
    const { done, value } = work.next()
    if (done === true) return value
  }
}
