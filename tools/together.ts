import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { root } from "./repository.js"

/** Packages whose tests compute and do little else: the start of a process takes longer than most of their files. */
const computing = ["auth", "client", "codec", "contracts", "delivery", "headless", "identity", "mls"]

/** What measures its process, changes it, or takes long: each in one of its own. */
const alone: readonly string[] = [
  ...[
    "codec/dist/test/length",
    "mls/dist/test/rules-holes",
    "mls/dist/test/rules-leaf",
    "mls/dist/test/wire-mutations",
  ],
  ...["mls/dist/test/tree-math", "mls/dist/test/vectors", "identity/dist/test/x509", "identity/dist/test/x509-limbo"],
  ...["delivery/dist/test/starvation", "delivery/dist/test/subscription-shares", "client/dist/test/browser"],
  ...["client/dist/test/crash", "client/dist/test/opening", "client/dist/test/fast-open"],
  ...["client/dist/test/restored-deep", "client/dist/test/restored-attacks", "client/dist/test/restored-random"],
  ...["client/dist/test/trace-replay-planted", "client/dist/test/lines", "client/dist/test/node"],
]

const FILES_MAX = 8

/** The same tests in fewer processes: of some packages several files are imported by one, written into `folder`. */
export function together(files: readonly string[], folder: string): string[] {
  const groups = computing.map((name) => ({
    name,
    files: files.filter(
      (file) => file.startsWith(`packages/${name}/dist/test/`) && !alone.some((it) => isFile(file, it)),
    ),
  }))
  const grouped = new Set(groups.flatMap((group) => group.files))
  const written = groups.flatMap((group) => {
    const count = Math.ceil(group.files.length / FILES_MAX)
    return Array.from({ length: count }, (_, at) => {
      const own = group.files.filter((_, position) => position % count === at)
      const path = join(folder, `${group.name}-${at + 1}.test.mjs`)
      writeFileSync(
        path,
        own.map((file) => `import ${JSON.stringify(pathToFileURL(join(root, file)).href)}\n`).join(""),
      )
      return path
    })
  })
  return [...files.filter((file) => !grouped.has(file)), ...written]
}

const isFile = (file: string, name: string) => file === `packages/${name}.test.js`
