/**
 * Circles of imports that are still there, by package: the modules of each, in order, without `packages/<package>/src/`.
 * The list may only shrink: one that is gone has to leave it.
 */
export const knownCircles: Readonly<Record<string, readonly (readonly string[])[]>> = {}
