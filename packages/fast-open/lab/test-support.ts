import { type TestContext, test } from "node:test"
import { Laboratory, missingPrivileges } from "./laboratory.js"
import type { Path } from "./router-protocol.js"

const missing = missingPrivileges()

/** A test inside a laboratory of its own; where the machine cannot have one, it is skipped and says what lacks. */
export function laboratoryTest(
  name: string,
  path: Partial<Path>,
  experiment: (laboratory: Laboratory, context: TestContext) => Promise<void>,
): void {
  test(name, { skip: missing ?? false, timeout: 60_000 }, async (context) => {
    await using laboratory = await Laboratory.open(path)
    await experiment(laboratory, context)
  })
}
