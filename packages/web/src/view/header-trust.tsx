import type { Conversation } from "@conclave/client/browser"
import type { Profile } from "../profile/profile.js"
import { words } from "../words/words.js"
import { AlertIcon, ShieldIcon } from "./icons.js"
import { addressOf } from "./route.js"

export interface HeaderTrustProps {
  readonly profile: Profile
  readonly conversation: Conversation
}

/** Beside a title, a way to the members: that everybody in the conversation is verified, or that somebody no longer is. */
export function HeaderTrust({ profile, conversation: { id, status, members } }: HeaderTrustProps) {
  const others = status === "left" ? [] : members.filter((name) => name !== profile.name)
  const comparisons = others.map((name) => profile.headless.comparison(id, name))
  const isChanged = comparisons.includes("changed")
  if (!isChanged && (others.length === 0 || comparisons.includes("none"))) return null
  const said = words().trust[isChanged ? "someChanged" : "allVerified"]
  return (
    <a
      class={isChanged ? "header-trust is-changed" : "header-trust"}
      title={said}
      href={addressOf({ conversation: id, group: true })}
    >
      {isChanged ? <AlertIcon /> : <ShieldIcon />}
      <span class="visually-hidden">{said}</span>
    </a>
  )
}
