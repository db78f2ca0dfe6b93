import { openServices } from "./scene.js"
import type { Answer, Asked } from "./services.js"

const services = openServices()
const { signal } = new AbortController()

process.on("message", async (asked: Asked | "close") => {
  if (asked === "close") {
    await services.close()
    process.disconnect()
    return
  }
  for await (const body of services[asked.service](asked.body, { signal, early: false })) {
    answer({ id: asked.id, body })
    return
  }
  answer({ id: asked.id, body: undefined })
})

function answer(answered: Answer): void {
  process.send!(answered)
}
