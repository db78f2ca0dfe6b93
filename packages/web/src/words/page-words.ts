export const versionWords = {
  newer: "A new version of Conclave is ready. It starts when you open the page the next time.",
  use: "Start it now",
}

export const filesRefused = "Files cannot be sent yet. What you dropped or pasted was not sent, and stays where it is."
