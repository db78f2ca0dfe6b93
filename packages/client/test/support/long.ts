/** How many seeds a long run tries: `CONCLAVE_SEEDS`, see `npm run test:long`. Without, tests take their usual few. */
export const longSeeds = process.env.CONCLAVE_SEEDS === undefined ? undefined : Number(process.env.CONCLAVE_SEEDS)

/** Whether everything is tried of what `npm test` takes a part of: `npm run test:whole`. */
export const isWhole = process.env.CONCLAVE_WHOLE === "1"
