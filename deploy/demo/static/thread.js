// The thread of one discussion: pages of roots with their replies, kept current by the stream.

import * as api from "./api.js";
import * as session from "./session.js";
import { button, el } from "./dom.js";
import { Comment } from "./comment.js";
import { textForm } from "./form.js";
import { Pages } from "./pages.js";
import * as sending from "./sending.js";
import { t } from "./texts.js";
import { Heard } from "./version.js";

export const SORTS = ["newest", "oldest", "best"];
const OWN_AGAIN_SECONDS = 10;

export class Thread {
  constructor(discussion, sort, draft = "") {
    this.discussion = discussion;
    this.sort = sort;
    this.begun = draft;
    this.state = "open";
    this.heard = new Heard();
    this.pages = new Pages(sort);
    this.comments = new Map();
    this.before = new Map(); // what a load replaces
    this.turn = Promise.resolve();
    this.votes = { discussion: 0, comments: {} };
    this.form = el("div", { class: "new-comment" });
    this.list = el("ol", { class: "thread" });
    this.more = el("div", { class: "more" });
    this.said = "";
    this.empty = el("p", { class: "quiet", role: "status" });
    this.element = el("div", {}, this.form, this.empty, this.list, this.more);
    this.actions = {
      isOpen: () => this.state === "open",
      nameOf: (id) => this.comments.get(id)?.author?.name ?? "",
      reply: (comment, text, id) => sending.submit(this, text, id, comment.id),
      edit: (comment, text, id) => sending.edit(this, comment, text, id),
      remove: (comment) => sending.remove(this, comment),
      report: (comment, reason, note) => sending.report(this, comment, reason, note),
    };
    this.timer = setInterval(() => this.lookAtOwn(), OWN_AGAIN_SECONDS * 1000);
  }

  close() {
    clearInterval(this.timer);
  }

  // What was typed and not sent.
  get draft() {
    return this.form.querySelector("textarea")?.value ?? this.begun;
  }

  // --- loading

  // One thing after another: what the stream says waits for a page that may be older than it.
  inTurn(work) {
    const done = this.turn.then(work);
    this.turn = done.catch(() => {});
    return done;
  }

  load() {
    return this.inTurn(() => this.loadPage());
  }

  async loadPage() {
    const page = this.heard.current(await api.comments(this.discussion, this.sort));
    const focused = document.activeElement;
    this.before = this.comments;
    try {
      for (const comment of this.before.values()) comment.element.remove();
      this.comments = new Map();
      this.pages.begin();
      this.add(page);
      // What only the reader sees is in no page, and what was sent a moment ago not yet.
      for (const comment of this.before.values()) {
        if (!comment.own || this.comments.has(comment.id)) continue;
        comment.data = null;
        this.putOwn(comment.own);
      }
      if (document.activeElement !== focused && focused.isConnected) focused.focus({ preventScroll: true });
      await this.loadOwn();
    } finally {
      this.before = new Map();
    }
  }

  add(page) {
    for (const root of page.comments) {
      this.put(root, "end");
      for (const reply of root.first_replies) this.put(reply, "end");
      this.moreReplies(root.id, root.more_replies);
    }
    this.pages.loaded(page);
    this.more.replaceChildren();
    if (page.next) {
      const ask = () => api.comments(this.discussion, this.sort, page.next);
      this.more.append(this.moreButton("moreComments", ask, (more) => this.add(more)));
    }
    for (const root of this.pages.rest()) {
      if (this.comments.has(root.id)) continue;
      this.put(root, "end");
      this.moreReplies(root.id, root.replies ? "" : null);
    }
    this.say("");
  }

  // `cursor` is "" where none of them is loaded, null where all are.
  moreReplies(root, cursor) {
    const place = this.comments.get(root)?.more;
    place?.replaceChildren();
    if (!place || cursor === null) return;
    const ask = () => api.replies(this.discussion, root, cursor);
    const show = (page) => {
      for (const reply of page.replies) this.put(reply, "end");
      this.moreReplies(root, page.next);
      this.say("");
    };
    place.append(this.moreButton("moreReplies", ask, show));
  }

  moreButton(name, ask, show) {
    const again = button(t(name), async () => {
      again.disabled = true;
      try {
        await this.inTurn(async () => {
          const page = this.heard.current(await ask());
          // Where all was loaded again meanwhile there is another button.
          if (again.isConnected) show(page);
        });
      } catch (error) {
        again.disabled = false;
        this.say(error.message);
      }
    });
    return again;
  }

  // What only the reader sees: own words that wait or were rejected, own votes.
  async loadOwn() {
    if (session.reader()) {
      const waited = [...this.comments.values()].filter((comment) => comment.own && !comment.own.fresh);
      const [own, votes] = await Promise.all([
        api.mine(this.discussion, "comments"),
        api.mine(this.discussion, "votes"),
      ]);
      this.votes = votes;
      const told = new Map(own.comments.map((comment) => [comment.id, comment]));
      for (const comment of waited) {
        if (comment.own && !comment.own.fresh && !told.has(comment.id)) this.dropOwn(comment);
      }
      for (const comment of this.comments.values()) {
        comment.vote?.setMine(votes.comments[comment.id] ?? 0);
      }
      for (const comment of told.values()) {
        const status = comment.waits_for_moderator ? "held" : "rejected";
        this.putOwn({ ...comment, status });
      }
    }
    this.renderForm();
    this.showEmpty();
  }

  async lookAtOwn() {
    const waits = [...this.comments.values()].some((comment) => comment.own && !comment.own.fresh);
    if (waits && session.reader() && !document.hidden) await this.loadOwn().catch(() => {});
  }

  // --- what the stream says

  changed(changes) {
    this.inTurn(() => this.apply(changes)).catch(reportError);
  }

  reset(version) {
    this.inTurn(() => this.heard.reset(version));
  }

  apply({ version, comments, vanished }) {
    this.heard.hear(version);
    for (const comment of comments) {
      const unknown = comment.root === comment.id && !this.comments.has(comment.id);
      if (unknown && this.pages.keep(comment)) continue;
      this.put(comment, this.sort === "newest" ? "start" : "end");
    }
    for (const id of vanished) {
      this.pages.drop(id);
      const comment = this.comments.get(id);
      if (!comment) continue;
      comment.data = null;
      if (comment.own) comment.render();
      else this.drop(comment);
    }
    this.lookAtOwn();
    this.showEmpty();
  }

  setState(state) {
    if (state === this.state) return;
    this.state = state;
    this.renderForm();
    for (const comment of this.comments.values()) comment.render();
  }

  // --- placing

  put(data, where) {
    let comment = this.comments.get(data.id);
    if (!comment) {
      const root = data.root === data.id ? null : this.comments.get(data.root);
      // A reply to a root that is not loaded comes with it.
      if (data.root !== data.id && !root) return;
      comment = this.made(data.id, root?.id ?? null);
      comment.data = data;
      this.place(comment, where);
    }
    comment.data = data;
    const { vote } = comment;
    comment.settle();
    comment.render();
    // What the reader voted since the votes were loaded stays.
    if (!vote) comment.vote?.setMine(this.votes.comments[data.id] ?? 0);
    if (!data.hidden) comment.vote.setRating(data.rating);
  }

  putOwn(own) {
    let comment = this.comments.get(own.id);
    if (!comment) {
      const parent = this.comments.get(own.parent);
      comment = this.made(own.id, parent ? (parent.root ?? parent.id) : null);
      comment.own = own;
      this.place(comment, comment.root ? "end" : "start");
    }
    comment.own = own;
    comment.settle();
    comment.render();
    this.showEmpty();
    return comment;
  }

  // The one that was shown before a load goes on, with its note and what is typed under it.
  made(id, root) {
    const comment = this.before.get(id) ?? new Comment(id, this.discussion, this.actions);
    comment.root = root;
    this.comments.set(id, comment);
    return comment;
  }

  place(comment, where) {
    const list = comment.root ? this.comments.get(comment.root).replies : this.list;
    if (where === "start" && !comment.root) list.prepend(comment.element);
    else list.append(comment.element);
    requestAnimationFrame(() => comment.element.classList.add("arrived"));
  }

  drop(comment) {
    comment.element.remove();
    this.comments.delete(comment.id);
    this.showEmpty();
  }

  dropOwn(comment) {
    comment.own = null;
    if (comment.data) comment.render();
    else this.drop(comment);
  }

  // --- around the list

  renderForm() {
    if (this.state !== "open") {
      this.form.replaceChildren(el("p", { class: "notice" }, t("closed")));
    } else if (!session.reader()) {
      this.form.replaceChildren(button(t("logInToComment"), session.choose, { class: "log-in" }));
    } else if (!this.form.querySelector("form")) {
      const submit = (text, id) => sending.submit(this, text, id);
      const [label, action] = [t("yourComment"), t("publish")];
      this.form.replaceChildren(textForm({ label, action, text: this.begun, submit }));
    }
  }

  showEmpty() {
    this.empty.textContent = this.said || (this.comments.size ? "" : t("noComments"));
  }

  // Stays until something is loaded.
  say(text) {
    this.said = text;
    this.showEmpty();
  }
}
