import { Unavailable } from "../service/call.js"
import { type DeliveryAnswer, refusalOf } from "../service/delivery.js"
import { pause, type Work } from "./context.js"
import { loseTrack } from "./settle.js"

const RETRY_MILLISECONDS_MIN = 1_000
const RETRY_MILLISECONDS_MAX = 15 * 60_000
/** After that, a group that the service does not know is taken to be gone. */
const PATIENCE_MILLISECONDS = 7n * 86_400_000n

/**
 * The service does not know the group, or does not show it. It may have been started with an empty folder, or from an
 * old backup, or it lies: nothing is destroyed for it. The user is told once, and this device asks again for a week.
 */
export async function missing(work: Work, answer: DeliveryAnswer): Promise<void> {
  const { local, steps, now } = work
  const at = BigInt(now())
  const reason = `the service said ${refusalOf(answer)}`
  work.missing = pause(work, work.missing, RETRY_MILLISECONDS_MIN, RETRY_MILLISECONDS_MAX)
  const { missingSince } = local.state
  if (missingSince === undefined) {
    await steps.run(local, (step) => {
      local.update(step, { missingSince: at })
      step.emit({ type: "missing", conversation: local.id, reason })
    })
  } else if (at - missingSince > PATIENCE_MILLISECONDS) {
    await steps.run(local, (step) => loseTrack(work, step, `${reason}, for a week: removed or lost`))
  }
}

/** The service knows the group. */
export async function found(work: Work): Promise<void> {
  const { local, steps } = work
  work.missing = undefined
  if (local.state.missingSince === undefined) return
  await steps.run(local, (step) => local.update(step, { missingSince: undefined }))
}

/**
 * The service takes nothing for the group: it does not know it. If that is so, the next question about the group is
 * answered in the same way, and the group is {@link missing}. A service that answers that question contradicts itself:
 * it is asked again later, and the user is not told each time.
 *
 * @throws Unavailable
 */
export function refusedAsMissing(work: Work): never {
  work.headSeq = undefined
  throw new Unavailable("the service takes nothing for this group: it says that it does not know it")
}
