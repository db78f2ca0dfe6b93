/** What the operator did, as it is kept. */
export interface Action {
  /** Unix time in milliseconds. */
  readonly at: number
  /** Of the system, who did it. */
  readonly user: string
  readonly did: "suspend" | "resume" | "close" | "announce" | "erase"
  /**
   * A name; the id of a group, or of a name that was erased the hash that is left of it, in hexadecimal digits; or the
   * incarnation that was announced.
   */
  readonly what: string
  readonly reason: string
}

export type NewAction = Pick<Action, "at" | "user" | "reason">

/** What a service has stored, in figures. */
export interface ServiceStatus {
  readonly names: number
  readonly devices: number
  readonly groups: number
  readonly entries: number
  readonly bytes: {
    /** In use; each kind is a part of it. */
    readonly all: number
    readonly messages: number
    readonly proposals: number
    readonly commits: number
    readonly welcomes: number
    readonly keyPackages: number
    readonly knocks: number
  }
  /** When the oldest entry of a log that is kept was appended (Unix time in milliseconds), if there is one. */
  readonly oldestAt: number | undefined
  readonly suspended: readonly string[]
  /** How many groups the operator has closed. */
  readonly closed: number
}

export interface GroupStatus {
  /** In hexadecimal digits. */
  readonly id: string
  readonly entries: number
  /** Of the log. */
  readonly bytes: number
  /** When something was appended last (Unix time in milliseconds), or the group made. */
  readonly lastAt: number
}

export interface NameStatus {
  readonly name: string
  readonly devices: number
  /** Of the first device. */
  readonly registeredAt: number
  readonly suspended: string | undefined
}
