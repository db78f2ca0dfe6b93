import type { Conversation } from "@conclave/client/browser"
import type { Profile } from "../profile/profile.js"
import { words } from "../words/words.js"
import { AlertIcon, ShieldIcon } from "./icons.js"

export interface HeaderTrustProps {
  readonly profile: Profile
  readonly conversation: Conversation
}

/** Beside a title: that everybody in the conversation is verified, or that somebody no longer is. */
export function HeaderTrust({ profile, conversation: { id, status, members } }: HeaderTrustProps) {
  const others = status === "left" ? [] : members.filter((name) => name !== profile.name)
  const comparisons = others.map((name) => profile.headless.comparison(id, name))
  if (comparisons.includes("changed")) {
    return (
      <span class="header-trust is-changed" title={words().trust.someChanged}>
        <AlertIcon />
        <span class="visually-hidden">{words().trust.someChanged}</span>
      </span>
    )
  }
  if (others.length === 0 || comparisons.includes("none")) return null
  return (
    <span class="header-trust" title={words().trust.allVerified}>
      <ShieldIcon />
      <span class="visually-hidden">{words().trust.allVerified}</span>
    </span>
  )
}
