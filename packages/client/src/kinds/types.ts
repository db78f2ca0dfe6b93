/** Shows a computed type as the plain object that it is. */
export type Simplify<T> = { [K in keyof T]: T[K] } & {}

export type UnionToIntersection<U> = (U extends unknown ? (it: U) => void : never) extends (it: infer I) => void
  ? I
  : never
