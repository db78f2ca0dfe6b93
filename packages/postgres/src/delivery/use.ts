import type { Admitted, Budgets, GroupUse, Refusal } from "@conclave/delivery/store"
import type { Connection } from "../connection.js"
import type { Row } from "../values.js"

/** The columns of `mls_group` that say what the group has used. */
export const OF_USE = "bytes, appends_full_at, proposals_full_at, commits_full_at, knocks_full_at"

/** Of a row with the columns of {@link OF_USE}. */
export const budgetsIn = (row: Row): Budgets => ({
  appends: row.appends_full_at,
  proposals: row.proposals_full_at,
  commits: row.commits_full_at,
  knocks: row.knocks_full_at,
})

interface Admitting {
  admit(group: GroupUse): Refusal | Admitted | undefined
}

export type Admission = { readonly refusal: Refusal } | { readonly budgets: Budgets }

/**
 * Asks once, however often a transaction is run: what was admitted has taken its shares. Of the group, it is asked again, as others
 * may have taken from it until then.
 */
export function admittingOnce(asking: Admitting): (use: GroupUse) => Admission {
  let admitted: Admitted | undefined
  return (use) => {
    const answer =
      admitted === undefined
        ? (asking.admit(use) ?? { type: "admitted", budgets: use.budgets })
        : (admitted.again?.(use) ?? { ...admitted, budgets: later(admitted.budgets, use.budgets) })
    if (answer.type !== "admitted") return { refusal: answer }
    admitted = answer
    return { budgets: answer.budgets }
  }
}

const later = (a: Budgets, b: Budgets): Budgets => ({
  appends: Math.max(a.appends, b.appends),
  proposals: Math.max(a.proposals, b.proposals),
  commits: Math.max(a.commits, b.commits),
  knocks: Math.max(a.knocks, b.knocks),
})

/** Of a group that is locked; `undefined` where it is admitted. */
export async function takeFromBudgets(
  connection: Connection,
  group: bigint,
  admit: ReturnType<typeof admittingOnce>,
): Promise<Refusal | undefined> {
  const row = (await connection.get(`SELECT ${OF_USE} FROM mls_group WHERE number = $1`, [group]))!
  const answer = admit({ bytes: Number(row.bytes), budgets: budgetsIn(row) })
  if ("refusal" in answer) return answer.refusal
  const { appends, proposals, commits, knocks } = answer.budgets
  await connection.run(
    `UPDATE mls_group SET appends_full_at = $2, proposals_full_at = $3, commits_full_at = $4, knocks_full_at = $5
     WHERE number = $1`,
    [group, appends, proposals, commits, knocks],
  )
  return undefined
}
