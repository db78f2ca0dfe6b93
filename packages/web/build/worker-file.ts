import { createHash } from "node:crypto"
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join, sep } from "node:path"
import type { Plugin } from "vite"

const WORKER = "worker.js"
const PAGE = "index.html"
/** Of what is in the folder, and not a file that the page loads. */
const LEFT_OUT = /\.(br|gz|map)$/

/** Builds the service worker beside the page, and writes into it which files there are and what is in them. */
export function workerFile(): Plugin {
  return {
    name: "worker-file",
    apply: "build",
    buildStart() {
      this.emitFile({ type: "chunk", id: "worker/main.ts", fileName: WORKER })
    },
    writeBundle({ dir }) {
      if (dir === undefined) this.error("there is no folder to read")
      const path = join(dir, WORKER)
      const script = readFileSync(path, "utf8")
      // A worker that is not a module has no imports.
      if (/\b(import|export)\b\s*[{("'`*]/.test(script)) this.error(`${WORKER} is not one script`)
      const files = shippedFiles(dir)
      const version = sha256(script + JSON.stringify(files)).toString("base64url")
      const parts = script.split(/["'`]SHIPPED["'`]/)
      if (parts.length !== 2) this.error(`${WORKER} has no place for the files`)
      writeFileSync(path, parts.join(JSON.stringify(JSON.stringify({ version, files }))))
    },
  }
}

/** Paths relative to the page, which is the empty one, with their Subresource Integrity. */
function shippedFiles(folder: string): readonly (readonly [path: string, integrity: string])[] {
  const names = (readdirSync(folder, { recursive: true }) as string[]).map((name) => name.replaceAll(sep, "/"))
  const shipped = names.filter(
    (name) => name !== WORKER && !LEFT_OUT.test(name) && statSync(join(folder, name)).isFile(),
  )
  return shipped
    .sort((a, b) => Number(b === PAGE) - Number(a === PAGE) || (a < b ? -1 : 1))
    .map((name) => {
      const digest = sha256(readFileSync(join(folder, name))).toString("base64")
      return [name === PAGE ? "./" : name, `sha256-${digest}`] as const
    })
}

function sha256(content: string | Uint8Array): Buffer {
  return createHash("sha256").update(content).digest()
}
