/** What the buttons of alerts say. */
export const alertButtons = {
  open: "Open the conversation",
  restart: "Go on in a new group",
  compare: "Compare safety codes",
  devices: "Look at your devices",
  evidence: "Save the evidence",
  seen: "I have seen it",
  detail: "Details",
  aConversation: "a conversation",
}

/** Above everything: what concerns the service as a whole. */
export const banner = {
  alerts: "Alerts",
  outdated: "An update is needed.",
  outdatedText:
    "The service speaks newer versions only: nothing is sent or read until you reload this page. What you have stays.",
  reload: "Reload",
  busy: (time: string) => `The service is busy until ${time}. What you write is kept, and goes out by itself.`,
  report: { ready: "Copy a report", copied: "Report copied", refused: "The browser does not let it be copied" },
}
