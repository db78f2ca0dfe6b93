import { createServer } from "@conclave/server"

/*
 * `conclave serve` in a process of its own: the same composition, told by its parent where to listen. Ends with it.
 */

export interface ServiceChoice {
  readonly file: string
  readonly host: string
  readonly port: number
  readonly page?: string
  readonly connections?: number
  /** In bytes, as `--quota` says. */
  readonly quota?: number
  readonly fastOpen?: { readonly port: number; readonly policy: "private" | "off" }
}

const choice: ServiceChoice = JSON.parse(process.argv[2]!)
const { host, port, connections, fastOpen, ...given } = choice
const conclave = await createServer({
  ...given,
  ...(fastOpen && { fastOpen: { ...fastOpen, host } }),
  ...(connections !== undefined && { limits: { listener: { connectionsMax: connections } } }),
  onError: (error) => process.send?.({ fault: String(error) }),
})
const { url } = await conclave.listen({ host, port })
process.send?.({ url: url.href, sealedPort: conclave.fastOpen?.port })
process.on("disconnect", () => process.exit(0))
process.on("SIGTERM", () => void conclave.close().then(() => process.exit(0)))
