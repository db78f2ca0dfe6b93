import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Corpus, Finding } from "./engine.js"
import { fingerprint } from "./random.js"

const packageRoot = fileURLToPath(new URL("../..", import.meta.url))
const corpusFile = join(packageRoot, "fuzz", "corpus.txt")
const findingsFolder = join(packageRoot, "..", "..", "output", "fuzz")

/** Longest input that is kept, and most of all of one target together, in bytes. */
const keptSizeMax = { input: 1024, target: 8192 }

/** A line for each input: the target's name, a tab, the input in base64. */
export function readCorpus(file = corpusFile): Corpus {
  const corpus = new Map<string, Uint8Array[]>()
  if (!existsSync(file)) return corpus
  for (const line of readFileSync(file, "utf8").split("\n")) {
    const [name, input] = line.split("\t")
    if (name === undefined || input === undefined) continue
    const known = corpus.get(name) ?? []
    corpus.set(name, [...known, new Uint8Array(Buffer.from(input, "base64"))])
  }
  return corpus
}

export function writeCorpus(corpus: Corpus, file = corpusFile): void {
  const lines = [...corpus].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([name, inputs]) => linesOf(name, inputs))
  writeFileSync(file, `${lines.join("\n")}\n`)
}

function linesOf(name: string, inputs: readonly Uint8Array[]): string[] {
  let size = 0
  const kept = inputs.filter((input) => {
    if (input.length > keptSizeMax.input || size + input.length > keptSizeMax.target) return false
    size += input.length
    return true
  })
  return kept.map((input) => lineOf(name, input))
}

const lineOf = (name: string, input: Uint8Array): string => `${name}\t${Buffer.from(input).toString("base64")}`

export function corpusSize(corpus: Corpus): { readonly inputs: number; readonly bytes: number } {
  const all = [...corpus.values()].flat()
  return { inputs: all.length, bytes: all.reduce((sum, input) => sum + input.length, 0) }
}

/** Where an input that has found something is kept, for looking at it again with `--repeat`. */
export function keepFinding({ target, input }: Finding): string {
  mkdirSync(findingsFolder, { recursive: true })
  const file = join(findingsFolder, `${target.replaceAll(" ", "-")}-${fingerprint(input).toString(16)}.txt`)
  writeFileSync(file, `${lineOf(target, input)}\n`)
  return file
}
