import type { Client } from "@conclave/client"
import type { Headless, HeadlessOptions } from "./headless.js"
import { memoryKeep } from "./keep/memory.js"
import { Kept } from "./kept.js"
import { OpenHeadless } from "./open-headless.js"
import { platformTimers } from "./timers.js"

/**
 * Opens what is kept beside a client, and follows it. The client stays its owner's, and is to be closed after the headless.
 *
 * @throws {NewerRecordsError} where a later version has written what is kept
 * @throws what the keep throws; it has been closed then
 */
export async function openHeadless(client: Client, options: HeadlessOptions = {}): Promise<Headless> {
  const { keep = memoryKeep(), channel, timers = platformTimers } = options
  // Told before there is anybody to tell: kept until there is.
  let onChange = () => {}
  let onFault = (_: unknown) => {}
  let onStored = () => {}
  try {
    const kept = await Kept.open(keep, {
      ...{ channel, timers },
      onChange: () => onChange(),
      onFault: (error) => onFault(error),
      onStored: () => onStored(),
    })
    const headless = new OpenHeadless(client, kept, { ...options, timers })
    onChange = () => headless.changed()
    onFault = (error) => headless.fault(error)
    onStored = () => headless.stored()
    await headless.start()
    return headless
  } catch (error) {
    channel?.close()
    await keep.close()
    throw error
  }
}
