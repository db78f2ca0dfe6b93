import { words } from "../words/words.js"

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
export function disagreements(views: readonly View[], { members, said: expected }: Expectation): readonly string[] {
  const said = words().demo
  const inside = views.filter(({ name }) => members.includes(name))
  const outside = views.filter(({ name }) => !members.includes(name))
  return [
    ...differing(said.epoch, inside, ({ epoch }) => String(epoch)),
    ...differing(said.epochAuthenticator, inside, ({ authenticator }) => authenticator),
    ...inside.flatMap((view) => memberFaults(view, members)),
    ...outside.filter(({ status }) => status !== "left").map(({ name }) => said.outUnknown(name)),
    ...outside.filter(({ authenticator }) => authenticator !== "").map(({ name }) => said.outWithKey(name)),
    ...views.flatMap((view) => readingFaults(view, expected)),
  ]
}

function differing(what: string, views: readonly View[], read: (view: View) => string): readonly string[] {
  const seen = new Set(views.map(read))
  if (seen.size <= 1) return []
  return [words().demo.differs(what, views.map((view) => `${view.name} ${read(view).slice(0, 16)}`).join(", "))]
}

function memberFaults({ name, status, authenticator, members: seen }: View, members: readonly string[]) {
  const said = words().demo
  return [
    ...(status === "active" ? [] : [said.notActive(name, status)]),
    ...(authenticator === "" ? [said.noAuthenticator(name)] : []),
    ...(seen.join() === members.join() ? [] : [said.sees(name, seen.join(", "), members.join(", "))]),
  ]
}

function readingFaults({ name, messages }: View, expected: Expectation["said"]): readonly string[] {
  const said = words().demo
  const wanted = expected.filter(({ readers }) => readers.includes(name)).map(({ message }) => message)
  const forbidden = expected.filter(({ readers }) => !readers.includes(name)).map(({ message }) => message)
  return [
    ...forbidden.filter((message) => messages.includes(message)).map((message) => said.readOutside(name, message)),
    ...wanted.filter((message) => !messages.includes(message)).map((message) => said.notRead(name, message)),
    ...(messages.length > new Set(messages).size ? [said.readTwice(name)] : []),
  ]
}
