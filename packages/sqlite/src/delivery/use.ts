import type { Admitted, Budgets, GroupUse, Refusal } from "@conclave/delivery/store"
import type { Connection, Row } from "../database.js"

/** The columns of `mls_group` that say what the group has used. */
export const OF_USE = "bytes, appends_full_at, proposals_full_at, commits_full_at, knocks_full_at"

interface Admitting {
  admit(group: GroupUse): Refusal | Admitted | undefined
}

/** `group` has the columns of {@link OF_USE}. What is admitted is taken from the budgets. */
export function admission(connection: Connection, group: Row, { admit }: Admitting): Refusal | undefined {
  const answer = admit({ bytes: Number(group.bytes), budgets: budgetsIn(group) })
  if (answer?.type !== "admitted") return answer
  const { appends, proposals, commits, knocks } = answer.budgets
  connection.run(
    `UPDATE mls_group SET appends_full_at = ?, proposals_full_at = ?, commits_full_at = ?, knocks_full_at = ?
     WHERE number = ?`,
    [appends, proposals, commits, knocks, group.number],
  )
  return undefined
}

const budgetsIn = (group: Row): Budgets => ({
  appends: group.appends_full_at,
  proposals: group.proposals_full_at,
  commits: group.commits_full_at,
  knocks: group.knocks_full_at,
})
