import { colourOf, initialsOf } from "../profile/person-colours.js"
import type { Profile } from "../profile/profile.js"
import { words } from "../words/words.js"

export interface PersonNameProps {
  readonly profile: Profile
  readonly name: string
  readonly note?: string | undefined
  /** In the person's colour: where many people speak. */
  readonly isColoured?: boolean
  /** Another member is called so that one may be taken for the other. */
  readonly isAlike?: boolean
}

/** A person in a list or above a message: the display name, and always the name; a mark where letters are mixed. */
export function PersonName({ profile, name, note, isColoured = false, isAlike = false }: PersonNameProps) {
  const { name: shownName, displayName, mark } = profile.label(name)
  return (
    <span class={isColoured ? `person person-ink-${colourOf(name)}` : "person"}>
      <bdi class="person-called">{displayName ?? shownName}</bdi>
      {note !== undefined && <span class="member-note"> {note}</span>}
      {displayName !== undefined && (
        <>
          {" "}
          <bdi class="person-name">{shownName}</bdi>
        </>
      )}
      {mark !== undefined && (
        <>
          {" "}
          <span class="person-mark" title={words().person.reasons[mark]}>
            {mark}
          </span>
        </>
      )}
      {isAlike && (
        <>
          {" "}
          <span class="person-mark">{words().person.alike}</span>
        </>
      )}
    </span>
  )
}

/** What stands for a picture of a person: letters on a ground in the person's colour. */
export function Avatar({ profile, name }: { readonly profile: Profile; readonly name: string }) {
  const { name: shownName, displayName } = profile.label(name)
  return (
    <span class={`avatar person-ground-${colourOf(name)}`} aria-hidden="true">
      {initialsOf(displayName ?? shownName)}
    </span>
  )
}

/** What stands for a picture. */
export function initialOf(name: string): string {
  return /[\p{L}\p{N}]/u.exec(name)?.[0].toUpperCase() ?? "?"
}
