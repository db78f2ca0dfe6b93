export const versionWords = {
  newer: "A new version of Conclave is ready. It starts when you open the page the next time.",
  use: "Start it now",
}

export const filesRefused = "Files cannot be sent yet. What you dropped or pasted was not sent, and stays where it is."

/** In the place of a view whose file did not come. */
export const partWords = {
  missing: "This part of the page did not load. Nothing is lost.",
  reload: "Load the page again",
}
