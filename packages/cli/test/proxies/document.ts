import assert from "node:assert/strict"
import { readFileSync } from "node:fs"

const text = readFileSync(new URL("../../../../../docs/deploying.md", import.meta.url), "utf8")

/** The name of the machine in the document. */
export const NAME = "chat.example.org"
const PORT = "7080"

/** A file of docs/deploying.md: the block with `file=NAME` behind its language. */
export function documented(name: string): string {
  const blocks = [...text.matchAll(/^```\w+ file=(\S+)\n([\s\S]*?)^```$/gm)].filter(([, file]) => file === name)
  assert.equal(blocks.length, 1, `docs/deploying.md has ${blocks.length} files ${name}`)
  return blocks[0]![2]!
}

/** `content` with each text replaced, which has to be there: a document that says something else is noticed. */
export function replaced(content: string, texts: Readonly<Record<string, string>>): string {
  return Object.entries(texts).reduce((result, [from, to]) => {
    assert.ok(result.includes(from), `docs/deploying.md does not say ${JSON.stringify(from)} any more`)
    return result.replaceAll(from, to)
  }, content)
}

/** The service's place in a file of the document, and in the test. */
export const upstream = (port: number) => ({ [`127.0.0.1:${PORT}`]: `127.0.0.1:${port}` })

/** What follows `conclave serve` in the unit for systemd, but for the data folder. */
export function unitWords(publicUrl: string): string[] {
  const [, line] =
    /^ExecStart=\S+ \S+\/bin\/conclave\.js serve --data \S+ (.+)$/m.exec(documented("conclave.service")) ?? []
  assert.ok(line !== undefined, "the unit does not start conclave serve")
  return replaced(line, { [`https://${NAME}/`]: publicUrl }).split(" ")
}
