/** Disjoint sets: who belongs together when only pairs are known. */
export class Groups<Member> {
  readonly #parent = new Map<Member, Member>()

  join(one: Member, other: Member): void {
    this.#parent.set(this.find(one), this.find(other))
  }

  /** The member that stands for the group. */
  find(member: Member): Member {
    let root = member
    for (let up = this.#parent.get(root); up !== undefined && up !== root; up = this.#parent.get(root)) root = up
    for (let at = member; at !== root; ) {
      const up = this.#parent.get(at)!
      this.#parent.set(at, root)
      at = up
    }
    return root
  }
}
