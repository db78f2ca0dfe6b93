/** What stands beside a person's name. */
export const personWords = {
  alike: "looks like another member",
  reasons: {
    "mixed scripts": "Letters of different alphabets: they may look like the name of somebody else.",
    "not a valid name": "It contains what nobody can see or tell apart.",
  },
}
