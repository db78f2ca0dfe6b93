import { useEffect, useMemo, useReducer } from "preact/hooks"
import { Opening } from "../opening.js"
import { refuseFiles } from "../page/dropping.js"
import { onLanguage } from "../words/words.js"
import { Shell } from "./shell.js"
import { Broken, Elsewhere, Forgotten, OpeningScreen, Unsuitable } from "./start.js"
import { Welcome } from "./welcome.js"

export function App() {
  const [, redraw] = useReducer((count: number) => count + 1, 0)
  const [filesRefused, refuse] = useReducer((count: number) => count + 1, 0)
  useEffect(() => refuseFiles(() => refuse(undefined)), [])
  const opening = useMemo(() => new Opening(() => redraw(undefined)), [])
  useEffect(() => void opening.start(), [opening])
  useEffect(() => onLanguage(() => redraw(undefined)), [])
  const { phase } = opening
  switch (phase.type) {
    case "starting":
      return null
    case "unsuitable":
      return <Unsuitable reason={phase.reason} />
    case "elsewhere":
      return <Elsewhere />
    case "welcome":
      return (
        <Welcome
          key={opening.entered}
          {...phase}
          onChoose={(choice) => void opening.open(choice)}
          onReturn={(profile) => opening.goOn(profile)}
        />
      )
    case "opening":
      return <OpeningScreen {...phase} onChooseAgain={() => opening.chooseAgain()} />
    case "broken":
      return <Broken reason={phase.reason} />
    case "open":
      return (
        <Shell
          profile={phase.profile}
          versions={opening.versions}
          filesRefused={filesRefused}
          onForget={() => void opening.forget(phase.profile)}
        />
      )
    case "forgetting":
      return <Forgotten left={undefined} />
    case "forgotten":
      return <Forgotten left={phase.left} />
  }
}
