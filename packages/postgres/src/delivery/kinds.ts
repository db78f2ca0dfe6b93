/** The name of an enumeration's number in a database. */
export function kindOf<Name extends string>(values: Readonly<Record<Name, number>>, number: number): Name {
  const name = (Object.keys(values) as Name[]).find((it) => values[it] === number)
  if (name === undefined) throw new Error(`the database has a kind ${number} that is none`)
  return name
}
