import { rule } from "../errors.js"
import { providedSuites } from "../suite/suite.js"
import type { Proposal } from "../wire.js"
import type { GroupState } from "./state.js"

/**
 * RFC 9420 §11: whoever creates a group, and whoever reinitialises one, verifies that its cipher suite is the best that
 * all members support, or somebody on the way could have chosen a weaker one for them.
 *
 * @throws RuleError suite-best
 */
export function requireBestSuite(state: GroupState, list: readonly { readonly proposal: Proposal }[]): void {
  const { epoch, environment, lineage } = state
  const proposals = list.map(({ proposal }) => proposal)
  const reInit = proposals.find((proposal) => proposal.type === "reinit")
  if (reInit) requireBest(state, reInit.cipherSuite, [])
  // A group that continues another has the suite that was agreed on there.
  const isNew = epoch.context.epoch === 0n && lineage === undefined
  const added = proposals.filter((proposal) => proposal.type === "add")
  if (!isNew || added.length === 0) return
  const newcomers = added.map(({ keyPackage }) => keyPackage.leafNode.capabilities.cipherSuites)
  requireBest(state, environment.suite.number, newcomers)
}

function requireBest(
  { epoch, environment }: GroupState,
  chosen: number,
  newcomers: readonly (readonly number[])[],
): void {
  const { policy, suite } = environment
  const provided = providedSuites(suite.provider)
  const best = policy.suitePreference.find(
    (number) =>
      provided.includes(number) &&
      epoch.tree.census.allSupport("cipherSuites", number) &&
      newcomers.every((suites) => suites.includes(number)),
  )
  rule(best === undefined || best === chosen, "suite-best", `suite ${chosen} instead of ${best}`)
}
