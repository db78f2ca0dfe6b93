import { deliveryService } from "@conclave/delivery"
import type { Store } from "@conclave/delivery/store"
import { crypto } from "@conclave/testing/delivery"
import { answered, createGroups, type Follow, messageRequest, raised } from "./requests.js"

/** A service that is called in this process, as a listener would, with requests that were made before. */
export async function serviceOn(store: Store, groupCount: number) {
  const handler = deliveryService({ store, crypto, directory: async () => undefined, limits: raised })
  const { signal } = new AbortController()
  const follow: Follow = (request) => handler(request, { signal, early: false, peer: "peer", network: "network" })
  const ask = async (request: Uint8Array) => {
    for await (const answer of follow(request)) return answer
    throw new Error("the service gave no answer")
  }
  const groups = await createGroups(groupCount, { ask, follow })
  let requests: Uint8Array[] = []
  let made = 0
  return {
    prepare(count: number): void {
      requests = Array.from({ length: count }, () => messageRequest(groups[made++ % groupCount]!, { number: made }))
    },
    write: (index: number) => answered(ask, requests[index]!, "accepted"),
  }
}
