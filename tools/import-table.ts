/**
 * Who may import whom. ARCHITECTURE.md shows the same tables. What is not listed is not allowed: `crypto` is the
 * entry `@conclave/crypto`, and its other entries are listed by themselves.
 */
export const packages: Readonly<Record<string, readonly string[]>> = {
  codec: [],
  native: [],
  // Where it is installed: an optional peer, which `crypto/node` loads by name.
  crypto: ["codec", "native"],
  mls: ["codec", "crypto"],
  identity: ["codec", "contracts/auth", "contracts/names", "crypto", "mls"],
  transport: ["codec"],
  "fast-open": ["codec", "crypto", "transport", "transport/parts"],
  trace: [],
  contracts: ["codec", "transport"],
  delivery: [
    ...[
      "codec",
      "contracts/delivery",
      "contracts/access",
      "contracts/blobs",
      "contracts/heads",
      "contracts/knocks",
      "contracts/log-chain",
      "contracts/policy",
      "contracts/refusals",
    ],
    ...["crypto", "mls", "mls/wire", "transport"],
  ],
  auth: ["codec", "contracts/auth", "contracts/names", "contracts/refusals", "crypto", "mls", "transport"],
  // Tests of several packages share it; it is never published.
  testing: [
    "auth",
    "auth/store",
    "delivery/store",
    "delivery/blobs",
    "delivery/push",
    "codec",
    "contracts/access",
    "contracts/auth",
    "contracts/blobs",
    "contracts/delivery",
    "contracts/log-chain",
    "crypto",
    "crypto/node",
    "delivery",
    "mls",
    "mls/wire",
    "transport",
  ],
  sqlite: [
    ...[
      "codec",
      "contracts/delivery",
      "contracts/access",
      "contracts/blobs",
      "contracts/heads",
      "contracts/knocks",
      "contracts/log-chain",
    ],
    ...["contracts/auth", "crypto", "delivery/blobs", "delivery/push", "delivery/store", "auth/store"],
  ],
  postgres: [
    ...[
      "codec",
      "contracts/delivery",
      "contracts/access",
      "contracts/blobs",
      "contracts/heads",
      "contracts/knocks",
      "contracts/log-chain",
    ],
    ...[
      "contracts/auth",
      "crypto",
      "delivery/blobs",
      "delivery/push",
      "delivery/store",
      "auth/store",
      "fast-open/store",
    ],
  ],
  server: [
    ...["codec", "crypto", "crypto/node", "contracts/auth", "contracts/delivery"],
    ...["transport", "transport/parts", "fast-open", "delivery", "auth", "sqlite", "postgres"],
  ],
  client: [
    ...["codec", "crypto", "crypto/node", "crypto/web", "identity", "identity/verdicts", "mls", "mls/wire"],
    ...["transport", "transport/node", "transport/browser", "fast-open"],
    // Of the services their contracts, never themselves.
    ...["contracts/delivery", "contracts/log-chain", "contracts/access", "contracts/heads", "contracts/evidence"],
    ...["contracts/blobs", "contracts/knocks", "contracts/policy", "contracts/auth", "contracts/names"],
    "contracts/refusals",
  ],
  headless: ["client"],
  web: ["client", "client/browser", "crypto/web", "headless", "headless/browser", "headless/german", "headless/parts"],
  cli: [
    ...["codec", "mls/inspect", "client/records"],
    ...[
      "client",
      "client/node",
      "contracts/evidence",
      "contracts/names",
      "contracts/log-chain",
      "crypto",
      "crypto/node",
    ],
    ...["server", "sqlite", "postgres", "delivery", "delivery/store", "auth/store", "transport"],
    ...["fast-open", "fast-open/sockets", "headless/german", "trace", "web"],
  ],
}

/**
 * What the tests of a package may import besides every entry of the package itself: real services behind a client, real
 * providers everywhere.
 */
export const inTests: Readonly<Record<string, readonly string[]>> = {
  crypto: [],
  mls: ["crypto/node", "crypto/web", "crypto/portable"],
  identity: ["crypto/node"],
  transport: ["server", "testing/transport"],
  server: [
    ...["contracts/access", "contracts/blobs", "mls", "testing/delivery", "testing/servers"],
    ...["transport/node", "testing/transport"],
  ],
  "fast-open": ["crypto/node", "postgres", "server", "testing/servers", "trace", "transport/node"],
  contracts: ["crypto", "crypto/node", "testing/names"],
  delivery: [
    "crypto/node",
    "server",
    "testing/delivery",
    "testing/log-history",
    "testing/servers",
    "transport/node",
    "sqlite",
    "postgres",
  ],
  auth: ["crypto/node", "testing/auth", "testing/names", "sqlite"],
  sqlite: ["delivery", "testing/auth", "testing/delivery", "testing/disk", "testing/log-history"],
  postgres: ["auth", "delivery", "testing/auth", "testing/delivery", "testing/servers"],
  client: ["crypto/portable", "delivery", "auth", "server", "sqlite", "testing/disk"],
  headless: ["auth", "crypto/node", "delivery", "transport"],
  web: ["client/node", "server", "transport", "transport/node", "delivery", "auth", "sqlite", "crypto/node"],
  cli: [
    ...["mls", "mls/wire", "client/browser", "contracts/access", "contracts/delivery", "contracts/heads"],
    ...["testing/delivery", "testing/log-history", "testing/servers", "transport/node"],
  ],
}

/** What stands beside the packages: it compares and measures, and nothing imports it. */
export const beside: Readonly<Record<string, readonly string[]>> = {
  interop: ["codec", "crypto", "crypto/node", "crypto/portable", "mls", "mls/wire"],
  examples: ["client/browser", "client/node", "crypto/node", "mls", "server"],
  installed: ["auth", "client/node", "crypto/node", "delivery", "sqlite", "transport"],
  model: [],
  attack: [
    ...Object.keys(packages).filter((name) => name !== "web" && name !== "cli"),
    ...["contracts/delivery", "contracts/log-chain", "contracts/auth", "contracts/access", "contracts/heads"],
    "contracts/knocks",
    ...["identity/x509", "client/node", "crypto/node", "mls/wire"],
    ...["transport/node", "fast-open/sockets"],
  ],
  bench: [
    ...Object.keys(packages),
    "crypto/node",
    "crypto/portable",
    "crypto/web",
    "mls/wire",
    "mls/tree",
    "client/node",
    "contracts/access",
    "contracts/delivery",
    "contracts/log-chain",
    "delivery/store",
    "interop",
    "testing/delivery",
    "testing/servers",
    "transport/parts",
  ],
}

/** The layers inside `mls`, each importing those before it. */
export const layers: readonly string[] = ["wire", "suite", "tree", "schedule", "framing", "group", "inspect", "index"]

/** Modules of `mls` that every layer may import. */
export const beneathLayers: readonly string[] = ["errors", "rules", "indexes", "journal", "slices"]

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
  "identity",
  "identity/verdicts",
  "identity/x509",
  "transport",
  "transport/browser",
  "contracts/delivery",
  "contracts/access",
  "contracts/evidence",
  "contracts/heads",
  "contracts/knocks",
  "contracts/log-chain",
  "contracts/auth",
  "contracts/names",
  "contracts/policy",
  "contracts/refusals",
  "client",
  "client/browser",
  "headless",
  "headless/browser",
  "headless/german",
  "headless/parts",
]
