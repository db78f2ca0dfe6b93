/** The ratchet tree in sentences. */
export const tree = {
  summary: (leaves: readonly [filled: number, all: number], parents: readonly [filled: number, all: number]) =>
    `Ratchet tree: ${leaves[0]} of ${count(leaves[1], "leaf", "leaves")} and ${parents[0]} of ${count(parents[1], "parent node")} are filled.`,
  path: (nodes: number) => ` The last commit renewed ${count(nodes, "node")}.`,
  first: "This is the first epoch: there has been no commit yet.",
  unseen: "This device has not seen the commit that began this epoch.",
  you: "you",
  above: (nodes: number, isWhole: boolean) => ` and ${count(nodes, "node")} above${isWhole ? ", up to the root" : ""}`,
  gave: (people: string, above: string) => `gave new keys to ${people}${above}`,
  broughtIn: (people: string, isMore: boolean) => `${isMore ? ", and brought in" : "brought in"} ${people}`,
  lastCommit: (what: string) => `The last commit ${what}.`,
  key: (people: string) => `Key of ${people}`,
  fresh: ", new in this epoch",
  unmerged: (people: string) => `; ${people} will learn the next one`,
}

function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`
}
