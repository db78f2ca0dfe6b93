import { defineConfig } from "vite"
import { oneAtATime } from "./build/one-at-a-time.js"
import { ruleTexts } from "./build/rule-texts.js"
import { sharedHelpers } from "./build/shared-helpers.js"
import { sodiumFile } from "./build/sodium-file.js"
import { workerFile } from "./build/worker-file.js"
import { precompress } from "./precompress.js"

export default defineConfig({
  // Relative to the page: it may be served beneath any path.
  base: "./",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  plugins: [sodiumFile(), ruleTexts(), oneAtATime(), sharedHelpers(), workerFile(), precompress()],
  build: {
    target: "es2022",
    modulePreload: false,
    rolldownOptions: {
      // No module of ours does anything by being read, or by asking for a global of the browser.
      treeshake: { propertyReadSideEffects: false, unknownGlobalSideEffects: false },
      optimization: { inlineConst: { mode: "all", pass: 3 } },
      output: {
        // What parts share is in the page's own script: a start on a slow line asks for one file.
        codeSplitting: {
          groups: [{ name: (id) => (id.includes("/web/worker/") ? null : "page"), tags: ["$initial"] }],
        },
      },
    },
    chunkSizeWarningLimit: 1024,
  },
})
