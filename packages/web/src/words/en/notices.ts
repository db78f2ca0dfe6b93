/** Between the messages. */
export const notices = {
  all: "Show all names",
  fewer: "Show fewer",
  /** Of what waited until the user had looked at a key. */
  decided: (names: string) => (names === "" ? "You looked at a new key." : `You decided about ${names}.`),
  /** Kept by an earlier version, which did not know whether they left or were removed. */
  out: (names: string, isOne: boolean) => `${names} ${isOne ? "is no longer a member" : "are no longer members"}`,
  here: "this conversation",
  attention: (text: string) => `Attention: ${text}`,
}
