import type { FastOpenObstacle } from "@conclave/fast-open/sockets"

/** What stands in the way of a side, with the commands that would change it. */
export function obstaclesInWords(obstacles: readonly FastOpenObstacle[], side: "client" | "server"): string {
  return obstacles
    .filter((obstacle) => obstacle.side === side || obstacle.side === "both")
    .map(({ reason, command }) => (command === undefined ? reason : `${reason}; ${command} would change that`))
    .join("; ")
}
