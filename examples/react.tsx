/// <reference lib="dom" />
import { type Client, openClient } from "@conclave/client/browser"
import { StrictMode, useEffect, useState, useSyncExternalStore } from "react"
import { createRoot } from "react-dom/client"

/** A profile that is open for as long as the component is there, or why it is not. Under StrictMode, React mounts it twice. */
export function useClient(name: string): Client | Error | undefined {
  const [client, setClient] = useState<Client | Error>()
  useEffect(() => {
    let isGone = false
    const opening = openClient({ name })
    const show = (it: Client | Error) => !isGone && setClient(it)
    opening.then(show, show)
    return () => {
      isGone = true
      setClient(undefined)
      opening.then((it) => it.close()).catch(() => {})
    }
  }, [name])
  return client
}

/** Counts the steps of the client: a component that uses it is drawn again after each. */
function useSteps(client: Client): number {
  const [steps] = useState(() => {
    let count = 0
    const subscribe = (draw: () => void) =>
      client.observe(() => {
        count++
        draw()
      })
    return { subscribe, count: () => count }
  })
  return useSyncExternalStore(steps.subscribe, steps.count)
}

function Conversations({ client }: { readonly client: Client }) {
  useSteps(client)
  const rows = [...client.conversations.values()].map(({ id, title, members }) => (
    <li key={id}>
      {title}: {members.join(", ")}
    </li>
  ))
  return (
    <>
      <p>{client.online ? "connected" : "not connected"}</p>
      <ul>{rows}</ul>
      <button type="button" onClick={() => void client.createConversation({ title: "notes" })}>
        New conversation
      </button>
    </>
  )
}

function App() {
  const client = useClient("alice")
  if (client === undefined) return <p>opening…</p>
  return client instanceof Error ? <p role="alert">{client.message}</p> : <Conversations client={client} />
}

createRoot(document.getElementById("app")!).render(
  <StrictMode>
    <App />
  </StrictMode>,
)
