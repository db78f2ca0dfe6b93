/** What one person sees of the conversation. */
export interface View {
  readonly name: string
  readonly status: string
  readonly epoch: bigint
  /** In hexadecimal. */
  readonly authenticator: string
  readonly members: readonly string[]
  /** All messages, oldest first, as `name: text`. */
  readonly messages: readonly string[]
}

export interface Expectation {
  readonly members: readonly string[]
  /** Messages that every member has read, and nobody else; the others' views have to lack them. */
  readonly said: readonly { readonly message: string; readonly readers: readonly string[] }[]
}

/** In what the views contradict each other or the expectation, in sentences; empty where all is as it has to be. */
export function disagreements(views: readonly View[], { members, said }: Expectation): readonly string[] {
  const inside = views.filter(({ name }) => members.includes(name))
  const outside = views.filter(({ name }) => !members.includes(name))
  return [
    ...differing("epoch", inside, ({ epoch }) => String(epoch)),
    ...differing("epoch authenticator", inside, ({ authenticator }) => authenticator),
    ...inside.flatMap((view) => memberFaults(view, members)),
    ...outside.filter(({ status }) => status !== "left").map(({ name }) => `${name} is out, but does not know it`),
    ...outside.filter(({ authenticator }) => authenticator !== "").map(({ name }) => `${name} is out, but has a key`),
    ...views.flatMap((view) => readingFaults(view, said)),
  ]
}

function differing(what: string, views: readonly View[], read: (view: View) => string): readonly string[] {
  const seen = new Set(views.map(read))
  if (seen.size <= 1) return []
  return [`the ${what} differs: ${views.map((view) => `${view.name} ${read(view).slice(0, 16)}`).join(", ")}`]
}

function memberFaults({ name, status, authenticator, members: seen }: View, members: readonly string[]) {
  return [
    ...(status === "active" ? [] : [`${name} is a member, but ${status}`]),
    ...(authenticator === "" ? [`${name} has no authenticator`] : []),
    ...(seen.join() === members.join()
      ? []
      : [`${name} sees ${seen.join(", ") || "nobody"}, not ${members.join(", ")}`]),
  ]
}

function readingFaults({ name, messages }: View, said: Expectation["said"]): readonly string[] {
  const wanted = said.filter(({ readers }) => readers.includes(name)).map(({ message }) => message)
  const forbidden = said.filter(({ readers }) => !readers.includes(name)).map(({ message }) => message)
  return [
    ...forbidden
      .filter((message) => messages.includes(message))
      .map((message) => `${name} was out, but read "${message}"`),
    ...wanted.filter((message) => !messages.includes(message)).map((message) => `${name} did not read "${message}"`),
    ...(messages.length > new Set(messages).size ? [`${name} read something twice`] : []),
  ]
}
