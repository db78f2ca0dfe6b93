import { parentPort, workerData } from "node:worker_threads"
import { unpackSignatures } from "../batch.js"
import { nodeProvider } from "./provider.js"
import type { VerifyTask } from "./verify-batch.js"

const { scheme, packed }: VerifyTask = workerData
const { verify } = nodeProvider().signatures[scheme]!
let valid = true
for (const { publicKey, message, signature } of unpackSignatures(packed)) {
  valid = verify(publicKey, message, signature)
  if (!valid) break
}
parentPort!.postMessage(valid)
