/** Exit codes that no failure of Node itself has. */
export const OPENED = 40
export const REFUSED = 41
