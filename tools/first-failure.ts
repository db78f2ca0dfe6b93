/** A reporter of `node:test` that ends the process at the first test that fails, after it has printed its name. */
import { writeSync } from "node:fs"
import type { TestEvent } from "node:test/reporters"

export default async function* firstFailure(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of events) {
    if (event.type !== "test:fail" || event.data.todo !== undefined) continue
    writeSync(1, event.data.name)
    process.exit(1)
  }
  yield ""
}
