import type { EventReader } from "@conclave/client"

/** A person as the subject of a sentence. */
export function one(name: string, reader: EventReader): string {
  if (name === reader.name) return "Du"
  return name === "" ? "Jemand" : reader.person(name)
}

/** A person within a sentence. */
export function somebody(name: string, reader: EventReader): string {
  return name === "" ? "jemand" : reader.person(name)
}

/** A person with the verb: “Du hast”, “bob hat”. */
export function has(name: string, reader: EventReader): string {
  return `${one(name, reader)} ${name === reader.name ? "hast" : "hat"}`
}

/** People with the verb; the reader comes first. */
export function have(names: readonly string[], reader: EventReader): string {
  if (names.length === 1) return has(names[0]!, reader)
  const listed = several(names, reader)
  return names.includes(reader.name) ? `D${listed.slice(1)} habt` : `${listed} haben`
}

/** People within a sentence, of many the first; `own`: the reader in the case that the sentence needs. */
export function several(names: readonly string[], reader: EventReader, own = "dich"): string {
  const others = names.filter((name) => name !== reader.name)
  const named = others.length > reader.peopleMax + 1 ? others.slice(0, reader.peopleMax) : others
  const more = others.length - named.length
  return new Intl.ListFormat("de").format([
    ...(others.length < names.length ? [own] : []),
    ...named.map((name) => somebody(name, reader)),
    ...(more > 0 ? [`${more} weitere`] : []),
  ])
}

/** The conversation after “in” or “aus”. */
export function place({ conversation }: EventReader): string {
  return conversation ?? "einer Unterhaltung"
}
