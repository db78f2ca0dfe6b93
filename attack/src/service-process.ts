import { startService } from "@conclave/cli"

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
const service = await startService({ ...choice, onError: (error) => process.send?.({ fault: String(error) }) })
process.send?.({ url: service.url.href, sealedPort: service.fastOpen?.port })
process.on("disconnect", () => process.exit(0))
process.on("SIGTERM", () => void service.close().then(() => process.exit(0)))
