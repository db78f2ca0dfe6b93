const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" }

/** As text or in an attribute of HTML. */
export const escaped = (text: string) => text.replace(/[&<>"]/g, (character) => ENTITIES[character]!)
