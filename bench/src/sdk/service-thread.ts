import { parentPort } from "node:worker_threads"
import { openServices } from "./scene.js"
import type { Answer, Asked } from "./services.js"

const services = openServices()
const { signal } = new AbortController()

parentPort!.on("message", async (asked: Asked | "close") => {
  if (asked === "close") {
    await services.close()
    parentPort!.close()
    return
  }
  for await (const body of services[asked.service](asked.body, { signal, early: false })) {
    answer({ id: asked.id, body })
    return
  }
  answer({ id: asked.id, body: undefined })
})

function answer(answered: Answer): void {
  parentPort!.postMessage(answered)
}
