import type { NameFault } from "@conclave/client/browser"

/** What stands beside a person's name. */
export const person = {
  alike: "looks like another member",
  reasons: {
    "mixed scripts": "Letters of different alphabets: they may look like the name of somebody else.",
    "not a valid name": "It contains what nobody can see or tell apart.",
  },
  marks: { "mixed scripts": "mixed scripts", "not a valid name": "not a valid name" },
  somebody: "somebody",
  others: (count: number) => `${count} others`,
  quoted: (text: string) => `“${text}”`,
  nameFault: ({ text }: NameFault) => text,
  displayNameFault: ({ text }: NameFault) => text,
}
