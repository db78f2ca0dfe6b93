import type { Plugin } from "vite"

/** What the compiler writes at the top of each module with a `using` declaration, the same in all. */
const HELPERS =
  /^var __addDisposableResource = [\s\S]+?\n};\nvar __disposeResources = [\s\S]+?\n}\)\(typeof SuppressedError[\s\S]+?\n}\);\n/
const MODULE = "shared-helpers"
const NAMES = "__addDisposableResource, __disposeResources"

/** Has the helpers of `using` declarations in the page's script once, and not in each module that has such a declaration. */
export function sharedHelpers(): Plugin {
  let helpers = ""
  return {
    name: MODULE,
    apply: "build",
    resolveId: (id) => (id === MODULE ? `\0${MODULE}` : undefined),
    load: (id) => (id === `\0${MODULE}` ? `${helpers}export { ${NAMES} }` : undefined),
    transform(code, id) {
      const found = id === `\0${MODULE}` ? undefined : HELPERS.exec(code)?.[0]
      if (found === undefined) return undefined
      if (helpers !== "" && helpers !== found) this.error("the helpers are not the same in all modules")
      helpers = found
      return { code: `import { ${NAMES} } from "${MODULE}";\n${code.slice(found.length)}`, map: null }
    },
  }
}
