// Where the pages loaded so far end, and the roots behind it that the stream told of meanwhile.

export class Pages {
  constructor(sort) {
    this.sort = sort;
    this.behind = new Map();
    this.begin();
  }

  begin() {
    this.behind.clear();
    this.next = null;
    this.last = ""; // when the last root that was loaded was submitted
  }

  loaded({ next, comments }) {
    this.next = next;
    this.last = comments.at(-1)?.submitted_at ?? this.last;
  }

  // Whether a root that is not shown comes with a page that is not loaded; if so it is kept here.
  keep(root) {
    if (!this.next) return false;
    const later = Date.parse(root.submitted_at) - Date.parse(this.last);
    const between = { newest: later >= 0, oldest: later <= 0, best: false }[this.sort];
    if (between) return false;
    this.behind.set(root.id, root);
    return true;
  }

  drop(id) {
    this.behind.delete(id);
  }

  // After the last page: what was kept. An order that was frozen before it came has it in no page.
  rest() {
    const kept = this.next ? [] : [...this.behind.values()];
    if (!this.next) this.behind.clear();
    return kept;
  }
}
