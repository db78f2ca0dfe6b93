/** What a middlebox on the path does to a SYN that carries data; everything else passes. */
export type Middlebox = "none" | "drop" | "strip" | "duplicate" | "reset" | "delay"

/** The state of the path, sent whole at each change. */
export interface Path {
  readonly roundTripMilliseconds: number
  readonly middlebox: Middlebox
  /** The IPv4 address of all clients as the server sees it; `null` for no translation. */
  readonly translatedAddress: string | null
  /** Every packet is lost, both ways. */
  readonly cut: boolean
  /** Which of several servers gets new connections; `null`: the client's port decides, as on routes of equal cost. */
  readonly gateway: number | null
}

export const clearPath: Path = {
  ...{ roundTripMilliseconds: 50, middlebox: "none", translatedAddress: null, cut: false },
  gateway: null,
}

/** How much later than the original a duplicate arrives, and how much a delaying middlebox adds. */
export const DUPLICATE_MILLISECONDS = 5
export const DELAY_MILLISECONDS = 400

/** One line of JSON each on the router's standard input; each is answered with one line. */
export type RouterCommand =
  | { readonly kind: "path"; readonly path: Path }
  /** Starts a capture of what an observer between translator and server sees; `null` ends it. */
  | { readonly kind: "capture"; readonly file: string | null }
  /** Base64 of raw IP packets that arrive at the server at once, from wherever they claim. */
  | { readonly kind: "inject"; readonly packets: readonly string[] }

export type RouterAnswer = { readonly ready: true } | { readonly done: RouterCommand["kind"] }

export const CLIENT_NETWORK = "10.77.1."
export const CLIENT_ADDRESS = "10.77.1.2"
export const SECOND_CLIENT_ADDRESS = "10.77.1.3"
export const SERVER_ADDRESS = "10.77.2.2"
export const CLIENT_ADDRESS_6 = "fd77:1::2"
export const SERVER_ADDRESS_6 = "fd77:2::2"
export const DEVICE = "wan0"
