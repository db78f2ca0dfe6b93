import { availableParallelism } from "node:os"
import { Worker } from "node:worker_threads"
import { packSignatures, type SignatureToVerify } from "../batch.js"
import { isVerifiableIn } from "../checked/signature.js"
import type { SignatureName } from "../provider.js"
import { nativeAlgorithms } from "./native.js"
import { nodeProvider } from "./provider.js"

export type { SignatureToVerify } from "../batch.js"

export interface VerifyBatchOptions {
  /** How many threads share the work; by default one for each processor, at most 8. */
  readonly threads?: number
}

/** A thread takes longer to start than it takes to verify so many. */
const SIGNATURES_FOR_A_THREAD = 500

/** aws-lc's threads start faster. */
const SIGNATURES_FOR_NATIVE = 32

/** So many are checked and copied for them before the event loop goes on: 3 ms. */
const SIGNATURES_IN_TURN = 2048

/**
 * Whether all signatures verify, on other threads where there are enough of them: `@conclave/native`'s where it runs, worker
 * threads otherwise. The calling thread is free meanwhile.
 *
 * @throws TypeError for a scheme that Node does not have; rejects if a thread dies.
 */
export async function verifyBatch(
  scheme: SignatureName,
  signatures: readonly SignatureToVerify[],
  options: VerifyBatchOptions = {},
): Promise<boolean> {
  const here = nodeProvider().signatures[scheme]
  if (here === undefined) throw new TypeError(`Node has no ${scheme}`)
  const wanted = options.threads ?? Math.min(availableParallelism(), 8)
  const native = nativeAlgorithms()
  if ("algorithms" in native && scheme !== "Ed448" && wanted > 0 && signatures.length >= SIGNATURES_FOR_NATIVE) {
    const { library } = native.algorithms
    for (let at = 0; at < signatures.length; at += SIGNATURES_IN_TURN) {
      const part = signatures.slice(at, at + SIGNATURES_IN_TURN)
      if (!part.every((it) => isVerifiableIn(scheme, it.publicKey, it.signature))) return false
      if (!(await library.verifyLater(scheme, packSignatures(part), wanted))) return false
    }
    return true
  }
  const threads = Math.min(wanted, Math.floor(signatures.length / SIGNATURES_FOR_A_THREAD))
  if (threads === 0) {
    return signatures.every(({ publicKey, message, signature }) => here.verify(publicKey, message, signature))
  }
  const share = Math.ceil(signatures.length / threads)
  const parts = Array.from({ length: threads }, (_, i) => signatures.slice(i * share, (i + 1) * share))
  const verdicts = await Promise.all(parts.map((part) => verifyElsewhere(scheme, packSignatures(part))))
  return verdicts.every((valid) => valid)
}

/** What a thread is given. */
export interface VerifyTask {
  readonly scheme: SignatureName
  readonly packed: Uint8Array
}

function verifyElsewhere(scheme: SignatureName, packed: Uint8Array<ArrayBuffer>): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const workerData: VerifyTask = { scheme, packed }
    const worker = new Worker(new URL("./verify-thread.js", import.meta.url), {
      workerData,
      transferList: [packed.buffer],
    })
    worker.once("message", (valid: boolean) => resolve(valid))
    worker.once("error", reject)
    worker.once("exit", () => reject(new Error("a thread ended without a verdict")))
  })
}
