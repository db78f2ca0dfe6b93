import type { Target } from "../engine.js"
import { World } from "../world.js"
import { wireDecoders } from "./decoders.js"
import { externalJoinTarget, joinTarget } from "./join.js"
import { receiveTarget } from "./receive.js"
import { serviceTargets } from "./services.js"

/** Everything that takes bytes from anybody. */
export async function allTargets(): Promise<Target[]> {
  const world = new World()
  return [
    receiveTarget(world),
    joinTarget(world),
    externalJoinTarget(world),
    ...wireDecoders(world),
    ...(await serviceTargets(world)),
  ]
}
