import { defineConfig } from "vite"
import { precompress } from "./precompress.js"

export default defineConfig({
  // Relative to the page: it may be served beneath any path.
  base: "./",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  plugins: [precompress()],
  build: {
    target: "es2022",
    // The one chunk there is has nothing to preload, and libsodium's WebAssembly lies inside it.
    modulePreload: false,
    chunkSizeWarningLimit: 1024,
  },
})
