import { portableProvider } from "@conclave/crypto/portable"
import { verifyBatch, webProvider } from "@conclave/crypto/web"
import { type Figures, type Invitation, Workload } from "./workload.js"

/** What `main.ts` calls in the page. */
export interface Page {
  start(invitation: Invitation): Promise<void>
  round(provider: "web" | "portable", messages: number): Promise<Figures>
}

const workloads = new Map<string, Workload>()

const page: Page = {
  async start(invitation) {
    const web = await webProvider()
    workloads.set("web", new Workload(web, invitation, (signatures) => verifyBatch(web, "Ed25519", signatures)))
    workloads.set("portable", new Workload(portableProvider(), invitation))
  },
  round: (provider, messages) => workloads.get(provider)!.round(messages),
}

Object.assign(globalThis, { page })
