/**
 * `node relay-child.js FROM TO [FROM TO …]`: carries connections, within the network namespace that it runs in, between ports
 * and Unix sockets, which namespaces share. An address is `host:port` or a path.
 */
import { rmSync } from "node:fs"
import { relay } from "./relay.js"

const addresses = process.argv.slice(2)
for (let index = 0; index < addresses.length; index += 2) {
  const [from, to] = [addresses[index]!, addresses[index + 1]!]
  if (from.startsWith("/")) rmSync(from, { force: true })
  await relay(from, to)
}
process.stdout.write("ready\n")
process.stdin.once("end", () => process.exit(0)).resume()
