/**
 * Loaded into every process of a test whose coverage is measured. A process that is killed writes no coverage at its
 * end; those that a test starts write theirs while they run.
 */
import { takeCoverage } from "node:v8"
import { isMainThread } from "node:worker_threads"

const intervalMilliseconds = 300
const marker = "CONCLAVE_COVERAGE_OF_CHILDREN"

if (process.env[marker] === undefined) process.env[marker] = "1"
else if (isMainThread) setInterval(() => takeCoverage(), intervalMilliseconds).unref()
