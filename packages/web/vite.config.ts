import { defineConfig } from "vite"
import { precompress } from "./precompress.js"

export default defineConfig({
  // Relative to the page: it may be served beneath any path.
  base: "./",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  plugins: [precompress()],
  build: {
    target: "es2022",
    // One chunk, with libsodium's WebAssembly in it: a page that is open does not need the service to load more of itself.
    rolldownOptions: { output: { codeSplitting: false } },
    modulePreload: false,
    chunkSizeWarningLimit: 1024,
  },
})
