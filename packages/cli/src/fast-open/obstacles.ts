import type { FastOpenObstacle } from "@conclave/fast-open/sockets"
import { words } from "../words/words.js"

/** What stands in the way of a side, with the commands that would change it. */
export function obstaclesInWords(obstacles: readonly FastOpenObstacle[], side: "client" | "server"): string {
  return obstacles
    .filter((obstacle) => obstacle.side === side || obstacle.side === "both")
    .map(({ reason, command }) => words().service.obstacle(reason, command))
    .join("; ")
}
