// The thread of one discussion: pages of roots with their replies, kept current by the stream.

import * as api from "./api.js";
import * as session from "./session.js";
import { button, el } from "./dom.js";
import { Comment } from "./comment.js";
import { textForm } from "./form.js";
import * as sending from "./sending.js";
import { t } from "./texts.js";

export const SORTS = ["newest", "oldest", "best"];
const OWN_AGAIN_SECONDS = 10;

export class Thread {
  constructor(discussion, sort, draft = "") {
    this.discussion = discussion;
    this.sort = sort;
    this.begun = draft;
    this.state = "open";
    this.version = "";
    this.comments = new Map();
    this.before = new Map(); // what a load replaces
    this.loaded = Promise.resolve();
    this.votes = { discussion: 0, comments: {} };
    this.next = null;
    this.form = el("div", { class: "new-comment" });
    this.list = el("ol", { class: "thread" });
    this.more = el("div", { class: "more" });
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

  // One load after another. What the stream says meanwhile waits: the page may be older than it.
  load() {
    const loaded = this.loaded.then(() => this.loadPage());
    this.loaded = loaded.catch(() => {});
    return loaded;
  }

  async loadPage() {
    const page = await api.comments(this.discussion, this.sort);
    const focused = document.activeElement;
    this.before = this.comments;
    for (const comment of this.before.values()) comment.element.remove();
    this.comments = new Map();
    this.version = page.version;
    this.add(page);
    // What was sent a moment ago may not be in the page yet.
    for (const { own } of this.before.values()) {
      if (own?.fresh && !this.comments.has(own.id)) this.putOwn(own);
    }
    if (document.activeElement !== focused && focused.isConnected) focused.focus({ preventScroll: true });
    await this.loadOwn();
    this.before = new Map();
  }

  add(page) {
    for (const root of page.comments) {
      this.put(root, "end");
      for (const reply of root.first_replies) this.put(reply, "end");
      this.moreReplies(root.id, root.more_replies);
    }
    this.next = page.next;
    this.more.replaceChildren();
    if (this.next) {
      const again = button(t("moreComments"), async () => {
        again.disabled = true;
        try {
          this.add(await api.comments(this.discussion, this.sort, this.next));
        } catch (error) {
          again.disabled = false;
          this.say(error.message);
        }
      });
      this.more.append(again);
    }
    this.showEmpty();
  }

  moreReplies(root, cursor) {
    const place = this.comments.get(root)?.more;
    place?.replaceChildren();
    if (!place || !cursor) return;
    const again = button(t("moreReplies"), async () => {
      again.disabled = true;
      try {
        const page = await api.replies(this.discussion, root, cursor);
        for (const reply of page.replies) this.put(reply, "end");
        this.moreReplies(root, page.next);
      } catch (error) {
        again.disabled = false;
        this.say(error.message);
      }
    });
    place.append(again);
  }

  // What only the reader sees: own words that wait or were rejected, own votes.
  async loadOwn() {
    if (session.reader()) {
      const [own, votes] = await Promise.all([
        api.mine(this.discussion, "comments"),
        api.mine(this.discussion, "votes"),
      ]);
      this.votes = votes;
      const told = new Map(own.comments.map((comment) => [comment.id, comment]));
      for (const comment of [...this.comments.values()]) {
        if (comment.own && !comment.own.fresh && !told.has(comment.id)) this.dropOwn(comment);
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
    this.loaded = this.loaded.then(() => this.apply(changes));
  }

  apply({ comments, vanished }) {
    for (const comment of comments) this.put(comment, this.sort === "newest" ? "start" : "end");
    for (const id of vanished) {
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
    const revision = data.edited?.revision ?? 1;
    if (!data.hidden && comment.own && (comment.own.revision ?? 1) <= revision) {
      // What waited is in view now.
      comment.own = null;
    }
    comment.render();
    if (comment.vote && !data.hidden) {
      comment.vote.setMine(this.votes.comments[data.id] ?? comment.vote.wanted);
      comment.vote.setRating(data.rating);
    }
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
    this.empty.textContent = this.comments.size ? "" : t("noComments");
  }

  say(text) {
    this.empty.textContent = text;
  }
}
