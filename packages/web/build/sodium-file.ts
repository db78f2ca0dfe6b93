import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import type { Plugin } from "vite"

const LIBRARY = /[\\/]libsodium-sumo\.mjs$/
const CALLER = /[\\/]crypto[\\/]dist[\\/]src[\\/]web[\\/]sodium\.js$/
const LATER = /\bawait import\("(libsodium-sumo)"\)/
/** The one call in the library's text that decodes its WebAssembly. */
const EMBEDDED = /\("([A-Za-z0-9+/]{100000,}={0,2})"\)/
/** One of the 700 C functions that the library makes properties of. */
const FUNCTION = /\b\w+\._(\w+)=\w+\.[\w$]+,/g
/** The one export at the end of the library's text. */
const EXPORTED = /export default (\w+);\s*$/

/**
 * Makes a file of its own of libsodium's WebAssembly, which the library carries as base64: a third smaller, compiled while
 * it arrives, and kept by the browser as code. The script holds the file to its SHA-256, and offers the functions that
 * `@conclave/crypto` calls. It is a part of the page's script: browsers never ask again for a part that did not come when it
 * was wanted. Fails the build where the library is not written as this expects.
 */
export function sodiumFile(): Plugin {
  return {
    name: "sodium-file",
    apply: "build",
    transform(code, id) {
      if (CALLER.test(id)) {
        const name = LATER.exec(code)?.[1]
        if (name === undefined) this.error("@conclave/crypto does not load libsodium as it did")
        const first = ["import * as library from", JSON.stringify(name)].join(" ")
        return { code: `${first}\n${code.replace(LATER, "library")}`, map: null }
      }
      if (!LIBRARY.test(id)) return undefined
      const text = EMBEDDED.exec(code)?.[1]
      const factory = EXPORTED.exec(code)?.[1]
      if (text === undefined || factory === undefined) this.error("libsodium-sumo is not built as it was")
      const source = Buffer.from(text, "base64")
      if (!WebAssembly.validate(source)) this.error("libsodium-sumo carries no WebAssembly")
      const called = calledFunctions()
      let kept = 0
      const glue = code.replace(EMBEDDED, '("")').replace(EXPORTED, "")
      const stripped = glue.replace(FUNCTION, (assignment, name) => {
        kept += called.has(name) ? 1 : 0
        return called.has(name) ? assignment : ""
      })
      if (kept !== called.size) this.error(`libsodium-sumo has ${kept} of the ${called.size} functions that are called`)
      const file = this.emitFile({ type: "asset", name: "libsodium.wasm", source })
      const integrity = `sha256-${createHash("sha256").update(source).digest("base64")}`
      return { code: stripped + loader({ factory, file, integrity }), map: null }
    },
  }
}

/** The C functions that `@conclave/crypto` calls, without the underscore before their names. */
function calledFunctions(): ReadonlySet<string> {
  const caller = readFileSync(new URL("./sodium.js", import.meta.resolve("@conclave/crypto/web")), "utf8")
  return new Set(Array.from(caller.matchAll(/\bsodium\._(\w+)\(/g), ([, name]) => name!))
}

/** Rejects where the file does not come, or is another one; the next call asks for it again. */
function loader({ factory, file, integrity }: { factory: string; file: string; integrity: string }): string {
  return `
async function compiled() {
  const answer = await fetch(import.meta.ROLLUP_FILE_URL_${file}, { integrity: ${JSON.stringify(integrity)} })
  if (!answer.ok) throw new Error("the page's WebAssembly is not there: status " + answer.status)
  return WebAssembly.compileStreaming(answer)
}
export default async function (options) {
  const module = await compiled()
  let failed
  const failure = new Promise((_, reject) => { failed = reject })
  const instantiateWasm = (imports, receive) =>
    void WebAssembly.instantiate(module, imports).then((instance) => receive(instance, module)).catch(failed)
  return Promise.race([${factory}({ ...options, instantiateWasm }), failure])
}
`
}
