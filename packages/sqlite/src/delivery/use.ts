import type { Admitted, Budgets, GroupUse, Refusal } from "@conclave/delivery/store"
import type { Row } from "../database.js"

/** The columns of `mls_group` that say what the group has used. */
export const OF_USE = "bytes, appends_full_at, proposals_full_at, commits_full_at, knocks_full_at"

interface Admitting {
  admit(group: GroupUse): Refusal | Admitted | undefined
}

/** What is left of the budgets is for the caller to store. */
export type Admission = { readonly refusal: Refusal } | { readonly budgets: Budgets }

/** `group` has the columns of {@link OF_USE}. */
export function admission(group: Row, { admit }: Admitting): Admission {
  const budgets = budgetsIn(group)
  const answer = admit({ bytes: Number(group.bytes), budgets })
  if (answer !== undefined && answer.type !== "admitted") return { refusal: answer }
  return { budgets: answer?.budgets ?? budgets }
}

/** What sets the columns of the budgets to {@link budgetValues}. */
export const SET_BUDGETS = "appends_full_at = ?, proposals_full_at = ?, commits_full_at = ?, knocks_full_at = ?"
export const budgetValues = ({ appends, proposals, commits, knocks }: Budgets) => [appends, proposals, commits, knocks]

const budgetsIn = (group: Row): Budgets => ({
  appends: group.appends_full_at,
  proposals: group.proposals_full_at,
  commits: group.commits_full_at,
  knocks: group.knocks_full_at,
})
