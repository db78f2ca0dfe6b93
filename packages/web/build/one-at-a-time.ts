import type { Plugin } from "vite"

/** By module: what asks whether the provider does many at once, and the answer in a page. */
const QUESTIONS: Readonly<Record<string, readonly (readonly [question: string, answer: string])[]>> = {
  "mls/tree/hash-many.js": [["hash.digestAll?.(inputs(hash.size, nodes, tree), nodes.length)", "undefined"]],
  "mls/tree/ratchet-tree.js": [
    ["this.suite.hash.digestAll !== undefined", "false"],
    ["!isSmall && suite.hash.digestAll !== undefined ?", "false ?"],
    ["signatures.take(bytes, node, { index: at / 2, start });", ";"],
  ],
  "mls/group/join.js": [
    ["isAtOnce ? LeafSignatures.of(suite, groupInfo.groupContext.groupId) :", "isAtOnce ? undefined :"],
    ["LeafSignatures.of(suite, groupContext.groupId)", "undefined"],
  ],
  "mls/suite/derivations.js": [
    ["hash.hmacAll === undefined ||", "true ||"],
    ["prepare(suite, this.#derived, contextSize);", "undefined;"],
  ],
  "crypto/hpke.js": [["oneCallHpke(provider, suite.kem, { hash, aead, schedule });", "undefined;"]],
  "mls/suite/together.js": [["return beginVerifying && written(", "return undefined && written("]],
}
const MODULE = /[\\/](mls|crypto)[\\/]dist[\\/]src[\\/](.+\.js)$/

/**
 * Leaves out of the page's script what `mls` and `crypto` do with a provider that takes many in one call: those of browsers take one at a time.
 * Fails the build where a module is not written as this expects.
 */
export function oneAtATime(): Plugin {
  return {
    name: "one-at-a-time",
    apply: "build",
    transform(code, id) {
      const [, name, path] = MODULE.exec(id) ?? []
      const module = `${name}/${path?.replaceAll("\\", "/")}`
      const questions = QUESTIONS[module]
      if (questions === undefined) return undefined
      let answered = code
      for (const [question, answer] of questions) {
        if (answered.split(question).length !== 2) this.error(`${module} does not ask once: ${question}`)
        answered = answered.replace(question, () => answer)
      }
      return { code: answered, map: null }
    },
  }
}
