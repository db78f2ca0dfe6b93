import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { median } from "../contest.js"
import { Scene } from "./scene.js"

export interface Opened {
  /** Milliseconds. */
  readonly cold: number
  readonly warm: number
}

/** What opening takes a new process, the first time (code that has not run yet) and the second. */
export async function opening(conversations: number, rounds: number): Promise<Opened> {
  const scene = Scene.here()
  const { client } = await scene.open("alice", { live: false })
  for (let i = 0; i < conversations; i++) await client.createConversation({ title: `conversation ${i}` })
  await client.close()
  const found: Opened[] = []
  for (let round = 0; round < rounds; round++) {
    const child = fileURLToPath(new URL("./opening-child.js", import.meta.url))
    const { stdout } = await promisify(execFile)(process.execPath, [child, scene.file("alice"), `${conversations}`])
    found.push(JSON.parse(stdout))
  }
  await scene.close()
  return { cold: median(found.map(({ cold }) => cold)), warm: median(found.map(({ warm }) => warm)) }
}
