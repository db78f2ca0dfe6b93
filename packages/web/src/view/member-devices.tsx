import type { PersonDevice } from "@conclave/client/browser"
import { hexOf } from "@conclave/headless/parts"
import { useEffect, useState } from "preact/hooks"
import type { Profile } from "../profile/profile.js"
import { shortTime } from "../profile/time.js"
import { words } from "../words/words.js"

export interface MemberDevicesProps {
  readonly profile: Profile
  readonly id: string
  readonly name: string
}

const DEVICES_SHOWN = 10

/** The devices with which somebody is in the conversation, and what the directory lists for them beside those. */
export function MemberDevices({ profile, id, name }: MemberDevicesProps) {
  const [listed, setListed] = useState<readonly PersonDevice[]>([])
  useEffect(() => {
    const stop = new AbortController()
    // Without the service the panel shows what the conversation itself tells.
    profile.client.devices(name, { signal: stop.signal }).then(setListed, () => {})
    return () => stop.abort()
  }, [profile, name])
  const here = profile.headless.devices(id).get(name) ?? []
  const byKey = new Map(listed.map((device) => [hexOf(device.signatureKey), device]))
  const present = new Set(here.map(({ signatureKey }) => hexOf(signatureKey)))
  const elsewhere = listed.filter(({ signatureKey }) => !present.has(hexOf(signatureKey)))
  const rows = [
    ...here.map(({ signatureKey }) => ({ signatureKey, isHere: true })),
    ...elsewhere.map(({ signatureKey }) => ({ signatureKey, isHere: false })),
  ]
  return (
    <>
      <h4>{words().members.deviceTitle(profile.called(name))}</h4>
      <ul class="devices">
        {rows.slice(0, DEVICES_SHOWN).map(({ signatureKey, isHere }) => {
          const key = hexOf(signatureKey)
          return (
            <li key={key}>
              <code>{profile.headless.keyCode(name, signatureKey)}</code>
              <DeviceState profile={profile} name={name} listed={byKey.get(key)} isHere={isHere} of={signatureKey} />
            </li>
          )
        })}
      </ul>
      {rows.length > DEVICES_SHOWN && <p>{words().members.more(rows.length - DEVICES_SHOWN)}</p>}
    </>
  )
}

interface DeviceStateProps {
  readonly profile: Profile
  readonly name: string
  readonly of: Uint8Array
  readonly listed: PersonDevice | undefined
  readonly isHere: boolean
}

function DeviceState({ profile, name, of, listed, isHere }: DeviceStateProps) {
  const known = profile.headless.newDevice(name, of)
  const isStrange = listed !== undefined && !listed.endorsed && !listed.pinned
  return (
    <span class={isStrange ? "device-state is-strange" : "device-state"}>
      {known !== undefined && (
        <span class="device-new">
          {words().members.newSince} {shortTime(new Date(known.at))}
        </span>
      )}
      {listed !== undefined && (
        <>
          {words().members.registered}{" "}
          <time dateTime={listed.registeredAt.toISOString()}>{shortTime(listed.registeredAt)}</time>,{" "}
          {listed.pinned
            ? words().members.known
            : listed.endorsed
              ? words().members.vouched
              : words().members.nobodyVouches}
        </>
      )}
      {!isHere && <>, {words().members.notHere}</>}
    </span>
  )
}
