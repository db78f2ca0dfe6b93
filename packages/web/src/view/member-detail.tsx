import type { Conversation } from "@conclave/client/browser"
import { useState } from "preact/hooks"
import type { Profile } from "../profile/profile.js"
import { problem } from "../profile/words.js"
import { words } from "../words/words.js"
import { Confirmation } from "./dialog.js"
import { ShieldIcon } from "./icons.js"
import { MemberDevices } from "./member-devices.js"
import { part } from "./part.js"

const Verify = part(() => import("./verify.js").then((it) => it.Verify))

export interface MemberDetailProps {
  readonly profile: Profile
  readonly conversation: Conversation
  readonly name: string
}

/** Whether a member is verified, with which devices they are here, and what one can do about them. */
export function MemberDetail({ profile, conversation, name }: MemberDetailProps) {
  const [doing, setDoing] = useState<"verify" | "remove">()
  const [trouble, setTrouble] = useState("")
  const comparison = profile.headless.comparison(conversation.id, name)
  const who = profile.called(name)
  const remove = () => {
    setDoing(undefined)
    conversation.remove(name).catch((error: unknown) => setTrouble(problem(error, { names: [name] })))
  }
  return (
    <section class="member-detail" aria-label={words().members.about(who)}>
      <p class={comparison === "changed" ? "is-strange" : undefined}>
        {comparison === "compared"
          ? words().trust.isVerified(who)
          : comparison === "changed"
            ? words().trust.changedText(who)
            : words().trust.notVerified(who)}
      </p>
      <div class="action-row">
        <button
          type="button"
          class={comparison === "compared" ? "button" : "button button-primary"}
          onClick={() => setDoing("verify")}
        >
          <ShieldIcon />{" "}
          {comparison === "compared"
            ? words().members.showCode
            : comparison === "changed"
              ? words().members.verifyAgain
              : words().members.verifyShort}
        </button>
        <button type="button" class="button button-danger-quiet" onClick={() => setDoing("remove")}>
          {words().members.remove}
        </button>
      </div>
      {trouble !== "" && (
        <p class="field-problem" role="alert">
          {trouble}
        </p>
      )}
      <MemberDevices profile={profile} id={conversation.id} name={name} />
      {doing === "verify" && (
        <Verify profile={profile} conversation={conversation} name={name} onClose={() => setDoing(undefined)} />
      )}
      {doing === "remove" && (
        <Confirmation
          title={words().members.removeTitle(who)}
          action={words().members.removeNamed(who)}
          onConfirm={remove}
          onClose={() => setDoing(undefined)}
        >
          {words().members.removeText(who)}
        </Confirmation>
      )}
    </section>
  )
}
