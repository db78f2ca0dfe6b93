/** Where a conversation cannot go on as it is. */
export const restart = {
  title: "Go on in a new group",
  stopped: (by: string) => `${by} has locked the others out: nobody can write here any more.`,
  aMember: "A member",
  missing:
    "The service does not show this conversation as it should. This device keeps it and asks again; if it does not come back, go on in a new group.",
  lost: "This device lost its place here. It waits for a member’s device to let it back in; if none does, go on in a new group.",
  whatItIs:
    "A new group has the same title and members. Each of them is asked, what you have read stays, and what waits to be sent is sent there.",
  without: (by: string) => `Go on without ${by}`,
  withAll: "Go on with everybody",
  making: "Making the new group…",
}
