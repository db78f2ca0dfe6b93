import { gzipSync } from "node:zlib"
import { build } from "esbuild"
import { table } from "./contest.js"

/*
 * npm run bench:bundle: what a chat client that uses the library alone weighs in a browser, minified and gzipped, and
 * what the whole SDK does. The client keeps key packages, makes and joins groups, invites, removes, talks, and stores
 * its state.
 */

const client = (setUp: string) => `
import { cipherSuite, createKeyPackage, dangerouslyAcceptAll, Group } from "@conclave/mls"
${setUp}
export async function open(name, store, send) {
  const suite = cipherSuite(1, await provider())
  const signer = {
    credential: { type: "basic", identity: new TextEncoder().encode(name) },
    key: suite.signature.generate(suite.provider.random),
  }
  const now = () => BigInt(Math.floor(Date.now() / 1000))
  const options = { suite, signer, now }
  const keyPackage = () =>
    createKeyPackage({ suite, signer, lifetime: { notBefore: now() - 3600n, notAfter: now() + 2592000n } })
  const apply = (group, staged) => group.apply(staged, dangerouslyAcceptAll(staged.claims))
  const keep = async (group, message) => (await store(group.takeChanges()), send(message))
  return {
    keyPackage,
    create: (groupId) => Group.create({ ...options, groupId }),
    restore: (records) => Group.restore({ ...options, records }),
    join(welcome, bundle) {
      const staged = Group.stageJoin({ ...options, welcome, keyPackages: [bundle] })
      return staged.accept(dangerouslyAcceptAll(staged.claims))
    },
    async change(group, changes) {
      const commit = group.commit(changes)
      await keep(group, commit)
      apply(group, commit)
    },
    say: (group, text) => keep(group, group.encrypt(new TextEncoder().encode(text))),
    receive(group, message) {
      const received = group.receive(message)
      if (received.type === "commit") apply(group, received.staged)
      return received
    },
  }
}
`

const providers = {
  "without a provider of curves": `const provider = () => globalThis.provider`,
  "with noble, pure JavaScript": `import { portableProvider } from "@conclave/crypto/portable"
const provider = async () => portableProvider()`,
  "with libsodium's WebAssembly and noble": `import { webProvider } from "@conclave/crypto/web"
const provider = () => webProvider()`,
}

const programs = {
  ...Object.fromEntries(Object.entries(providers).map(([name, setUp]) => [name, client(setUp)])),
  "the SDK, everything that client/browser exports": `export * from "@conclave/client/browser"`,
}

const rows: string[][] = [["a chat client in a browser", "minified", "gzipped"]]
for (const [name, contents] of Object.entries(programs)) {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: import.meta.dirname },
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    platform: "browser",
    target: "es2022",
    logLevel: "error",
  })
  const code = outputFiles[0]!.contents
  rows.push([name, kilobytes(code.length), kilobytes(gzipSync(code, { level: 9 }).length)])
}
console.log(table(rows))

function kilobytes(bytes: number): string {
  return `${(bytes / 1000).toFixed(1)} kB`
}
