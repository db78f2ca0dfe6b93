import { StoreUnavailable } from "@conclave/delivery"
import { type Database, ModelStore, type Session, type Touched } from "./model.js"

/** One file and one process. Its writer commits one transaction after the other. */
export class SqliteFile {
  #writer: Promise<unknown> = Promise.resolve()

  /** Runs `transaction` when those that came before have ended. */
  inTurn<T>(transaction: () => Promise<T>): Promise<T> {
    const turn = this.#writer.then(transaction)
    this.#writer = turn.catch(() => {})
    return turn
  }
}

/**
 * SQLite as a store: reads take no time and see what was committed; a commit takes as long as the disk does. A transaction
 * for which there is no room leaves nothing. Of one that is under way when the process dies, all is there or nothing.
 *
 * Not modelled: a file of limited size (`usage`), corruption, a backup that is taken meanwhile, sweeping.
 */
export class SqliteModel extends ModelStore {
  readonly #file: SqliteFile

  constructor(database: Database, session: Session, file: SqliteFile) {
    super(database, session)
    this.#file = file
  }

  protected async reading<T>(what: () => Promise<T>): Promise<T> {
    this.session.require()
    return what()
  }

  protected writing<T>(_: Touched, what: () => Promise<T>): Promise<T> {
    return this.#file.inTurn(async () => {
      const { database, session } = this
      session.require()
      await database.pause(this.#commitMilliseconds(), "the disk of the service writes")
      if (session.isOver && !database.dice.chance(PERCENT_WRITTEN)) throw new StoreUnavailable("the process has died")
      if (database.is("full")) throw new StoreUnavailable("the disk is full")
      return what()
    })
  }

  #commitMilliseconds(): number {
    const { database } = this
    return database.is("slow") ? database.dice.between(20, 900) : database.dice.below(3)
  }
}

/** So many of the commits that are under way at a crash are on the disk. */
const PERCENT_WRITTEN = 40
