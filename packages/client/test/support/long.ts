/** How many seeds a long run tries: `CONCLAVE_SEEDS`, see `npm run test:long`. Without, tests take their usual few. */
export const longSeeds = process.env.CONCLAVE_SEEDS === undefined ? undefined : Number(process.env.CONCLAVE_SEEDS)
