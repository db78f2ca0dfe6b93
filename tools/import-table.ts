/**
 * Who may import whom. ARCHITECTURE.md shows the same tables. What is not listed is not allowed: `crypto` is the
 * entry `@conclave/crypto`, and its other entries are listed by themselves.
 */
export const packages: Readonly<Record<string, readonly string[]>> = {
  codec: [],
  crypto: ["codec"],
  mls: ["codec", "crypto"],
  transport: ["codec", "crypto"],
  delivery: ["codec", "crypto", "mls", "mls/wire", "transport"],
  auth: ["codec", "crypto", "mls", "mls/wire", "transport"],
  client: [
    ...["codec", "crypto", "crypto/node", "crypto/web", "mls", "mls/wire"],
    ...["transport", "transport/node", "transport/browser", "transport/sealed"],
    // Of the services their contracts, never themselves.
    ...["delivery/api", "delivery/log-chain", "auth/api", "auth/names"],
  ],
  web: ["client", "client/browser"],
  cli: [
    ...["codec", "mls/inspect", "client/records"],
    ...["client", "client/node", "crypto", "crypto/node", "delivery", "delivery/api", "auth", "auth/api", "auth/names"],
    ...["transport", "transport/node", "transport/fast-open", "transport/sealed", "transport/trace", "web"],
  ],
}

/**
 * What the tests of a package may import besides every entry of the package itself: real services behind a client, real
 * providers everywhere.
 */
export const inTests: Readonly<Record<string, readonly string[]>> = {
  crypto: [],
  mls: ["crypto/node", "crypto/web", "crypto/portable"],
  transport: ["crypto/node", "crypto/web", "crypto/portable"],
  delivery: ["crypto/node", "transport/node"],
  auth: ["crypto/node", "transport/node", "delivery"],
  client: ["crypto/portable", "delivery", "auth"],
  web: ["client/node", "cli", "transport", "transport/node", "delivery", "auth", "crypto/node"],
  cli: ["mls", "mls/wire", "client/browser"],
}

/** What stands beside the packages: it compares and measures, and nothing imports it. */
export const beside: Readonly<Record<string, readonly string[]>> = {
  interop: ["codec", "crypto", "crypto/node", "crypto/portable", "mls", "mls/wire"],
  examples: ["client/node", "crypto/node", "mls"],
  attack: [
    ...Object.keys(packages).filter((name) => name !== "web"),
    ...["auth/api", "auth/x509", "client/node", "crypto/node", "delivery/api", "delivery/log-chain", "mls/wire"],
    ...["transport/node", "transport/sealed", "transport/fast-open"],
  ],
  bench: [
    ...Object.keys(packages),
    "crypto/node",
    "crypto/portable",
    "crypto/web",
    "mls/wire",
    "mls/tree",
    "client/node",
    "interop",
  ],
}

/** The layers inside `mls`, each importing those before it. */
export const layers: readonly string[] = ["wire", "suite", "tree", "schedule", "framing", "group", "inspect", "index"]

/** Modules of `mls` that every layer may import. */
export const beneathLayers: readonly string[] = ["errors", "rules", "indexes", "journal"]

/** Entries that must run wherever JavaScript does, browsers included. */
export const anywhere: readonly string[] = [
  "codec",
  "crypto",
  "crypto/web",
  "crypto/portable",
  "mls",
  "mls/wire",
  "mls/inspect",
  "mls/tree",
  "transport",
  "transport/browser",
  "delivery/api",
  "delivery/log-chain",
  "auth/api",
  "auth/names",
  "auth/x509",
  "client",
  "client/browser",
]
