import { defineConfig } from "vite"

export default defineConfig({
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    target: "es2022",
    // The one chunk there is has nothing to preload, and libsodium's WebAssembly lies inside it.
    modulePreload: false,
    chunkSizeWarningLimit: 1024,
  },
})
