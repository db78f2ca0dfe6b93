type Row = readonly [RegExp, (...parts: readonly string[]) => string]

const USE_IT = "nimm jene Version"

/** What the stores of services say, which has no code: recognized by their words, the first row that fits. */
const rows: readonly Row[] = [
  [/^the database is locked.*$/, () => "die Datenbank ist gesperrt"],
  [/^a program has the file open.*$/, () => "ein Programm hat die Datei offen"],
  [/^the file is in use by (.+)$/, (who) => `die Datei wird von ${who} benutzt`],
  [/^the file cannot be locked$/, () => "die Datei lässt sich nicht sperren"],
  [/^the file is no backup of a service$/, () => "die Datei ist keine Sicherung eines Dienstes"],
  [/^the file is none of a service$/, () => "die Datei gehört zu keinem Dienst"],
  [/^the backup has something after its end$/, () => "nach dem Ende der Sicherung steht noch etwas"],
  [/^the backup is cut: its end is missing$/, () => "die Sicherung ist abgeschnitten: Ihr Ende fehlt"],
  [/^the backup is damaged$/, () => "die Sicherung ist beschädigt"],
  [/^the backup was written by a later version.*$/, () => `die Sicherung stammt von einer neueren Version: ${USE_IT}`],
  [
    /^the (?:file|database) is of an older version of Conclave: .*$/,
    () => "das stammt von einer älteren Version von Conclave: Starte einmal diese Version des Dienstes darauf",
  ],
  [
    /^the (?:file|database) was (?:written|migrated) by a later version.*$/s,
    () => `das stammt von einer neueren Version von Conclave: ${USE_IT}`,
  ],
  [
    /^the database has the tables of an earlier version.*$/s,
    () =>
      "die Datenbank hat die Tabellen einer früheren Version von Conclave: Der nächste Prozess, der startet, erneuert sie",
  ],
  [
    /^the file (?:was changed|became shorter) while it was read.*$/,
    () => "die Datei hat sich beim Lesen geändert: Versuch es noch einmal",
  ],
  [
    /^the service was moved to (.+) on (\S+): .*$/s,
    (place, day) =>
      `der Dienst ist am ${day} nach ${place} umgezogen: Lass ihn dort laufen, mit DATABASE_URL; wie es zurückgeht, sagt docs/operating.md`,
  ],
  [/^the database cannot be reached$/, () => "die Datenbank ist nicht zu erreichen"],
  [
    /^the database cannot be opened: this user may not read and write it$/,
    () => "die Datenbank lässt sich nicht öffnen: Dieser Benutzer darf sie nicht lesen und schreiben",
  ],
  [/^the database cannot be opened$/, () => "die Datenbank lässt sich nicht öffnen"],
  [/^the database is closed$/, () => "die Datenbank ist geschlossen"],
  [/^the database is not empty: .*$/, () => "die Datenbank ist nicht leer: Gib eine ohne Dienst an"],
  [/^another service is in the database: .*$/, () => "in der Datenbank ist ein anderer Dienst: Gib eine leere an"],
  [
    /^a part of another service is in the database.*$/,
    () =>
      "in der Datenbank ist ein Teil eines anderen Dienstes, dessen Umzug abgebrochen wurde: Bring ihn zu Ende, oder gib eine leere an",
  ],
  [
    /^a service is being moved into the database: .*$/,
    () => "ein Dienst zieht gerade in die Datenbank um: Erst muss conclave migrate fertig sein",
  ],
  [
    /^another conclave migrate is writing to the database$/,
    () => "ein anderes conclave migrate schreibt in die Datenbank",
  ],
  [
    /^this service is here already, moved from another copy.*$/,
    () => "dieser Dienst ist schon hier, aus einer anderen Kopie seiner Datei",
  ],
  [/^no service has been started on the database$/, () => "auf der Datenbank lief noch kein Dienst"],
  [
    /^nobody has ever used this service: there is nothing to announce$/,
    () => "diesen Dienst hat noch niemand benutzt: Es gibt nichts anzukündigen",
  ],
  [
    /^nobody has ever used this service: there is nothing to move$/,
    () => "diesen Dienst hat noch niemand benutzt: Es gibt nichts umzuziehen",
  ],
  [
    /^nothing of the service is here, and it was moved elsewhere.*$/,
    () => "hier ist nichts von dem Dienst, und er ist anderswohin umgezogen: Sieh in seiner Datei nach",
  ],
  [
    /^the operator has announced a restored database.*$/,
    () => "der Betreiber hat eine wiederhergestellte Datenbank angekündigt: Starte diesen Prozess neu",
  ],
  [
    /^gateways are connected to the database \((\d+) connections\).*$/,
    (count) =>
      `mit der Datenbank ist noch ein Dienst verbunden (${count} Verbindungen): Beende erst jedes conclave serve darauf`,
  ],
  [
    /^(\d+) groups are from before groups had keys.*$/,
    (count) => `${count} Gruppen sind aus der Zeit vor den Schlüsseln und können nicht umziehen: Schließe sie zuerst`,
  ],
  [
    /^(\d+) Welcomes of an early version wait.*$/,
    (count) =>
      `${count} Einladungen einer frühen Version warten noch und können nicht umziehen: Sie warten höchstens 180 Tage`,
  ],
  [/^too much waits.*$/, () => "zu viel wartet darauf, geschrieben zu werden"],
]

/** What a store said, in German; `undefined` where it is not known. */
export function stored(text: string): string | undefined {
  for (const [form, said] of rows) {
    const found = form.exec(text)
    if (found !== null) return said(...found.slice(1))
  }
  return undefined
}
