import { conversationProfile } from "../conversation/profile.js"
import type { Setting } from "../conversation/state.js"

/** The service takes messages with up to six commits after them; two more may come while they are on their way. */
const PAST_EPOCHS_MAX = 8

/** What a conversation's group is made with. `lifetimeNow`: Unix time in milliseconds, for lifetimes of leaf nodes. */
export const groupOptionsOf = (
  lifetimeNow: () => number,
  random: (length: number) => Uint8Array,
): Setting["groupOptions"] => ({
  now: () => BigInt(Math.floor(lifetimeNow() / 1000)),
  random,
  profile: conversationProfile,
  policy: { pastEpochsMax: PAST_EPOCHS_MAX },
})
