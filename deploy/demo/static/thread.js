// The thread of one discussion: pages of roots with their replies, kept current by the stream.

import * as api from "./api.js";
import * as session from "./session.js";
import { button, el } from "./dom.js";
import { Comment } from "./comment.js";
import { textForm } from "./form.js";
import { t } from "./texts.js";

export const SORTS = ["newest", "oldest", "best"];
const OWN_AGAIN_SECONDS = 10;
const PUBLISHED_SHOWN_SECONDS = 6;

export class Thread {
  constructor(discussion, sort, draft = "") {
    this.discussion = discussion;
    this.sort = sort;
    this.begun = draft;
    this.state = "open";
    this.version = "";
    this.comments = new Map();
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
      reply: (comment, text, id) => this.submit(text, id, comment.id),
      edit: (comment, text, id) => this.edit(comment, text, id),
      remove: (comment) => this.remove(comment),
      report: (comment, reason, note) => this.report(comment, reason, note),
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

  async load() {
    const page = await api.comments(this.discussion, this.sort);
    for (const comment of this.comments.values()) comment.element.remove();
    this.comments.clear();
    this.version = page.version;
    this.add(page);
    await this.loadOwn();
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

  changed({ comments, vanished }) {
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
      comment = new Comment(data.id, this.discussion, this.actions);
      comment.root = root?.id ?? null;
      comment.data = data;
      this.comments.set(data.id, comment);
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
      comment = new Comment(own.id, this.discussion, this.actions);
      const parent = this.comments.get(own.parent);
      comment.root = parent ? (parent.root ?? parent.id) : null;
      comment.own = own;
      this.comments.set(own.id, comment);
      this.place(comment, comment.root ? "end" : "start");
    }
    comment.own = own;
    comment.render();
    this.showEmpty();
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

  // --- what the reader does

  async submit(body, id, parent) {
    const data = { discussion: this.discussion, comment: id, body, ...(parent && { parent }) };
    const receipt = await api.send("comment", { id, type: "veche.comment.submitted.v1", data });
    const submitted_at = new Date().toISOString();
    const own = { id, parent, body, submitted_at, status: "waiting", fresh: true };
    const comment = this.putOwn(own);
    this.follow(comment, receipt, body);
  }

  async edit(comment, body, id) {
    const data = { discussion: this.discussion, comment: comment.id, body };
    const receipt = await api.send("comment", { id, type: "veche.comment.edited.v1", data });
    comment.say(t("waiting"));
    this.follow(comment, receipt, body);
  }

  async remove(comment) {
    const data = { discussion: this.discussion, comment: comment.id };
    const event = { id: api.newId(), type: "veche.comment.deleted.v1", data };
    const told = await api.became(await api.send("comment", event));
    if (told.result === "refused") throw refusal(told);
    comment.own = null;
    if (comment.data?.replies) {
      comment.data = { ...comment.data, hidden: true };
      comment.render();
    } else this.drop(comment);
    // The focus went with the comment, unless the reader is at something else by now.
    if (document.activeElement === document.body) {
      document.getElementById("discussion").focus({ preventScroll: true });
    }
  }

  async report(comment, reason, note) {
    const revision = comment.data.edited?.revision ?? 1;
    const data = { discussion: this.discussion, comment: comment.id, revision, reason };
    if (note) data.note = note;
    const event = { id: api.newId(), type: "veche.report.filed.v1", data };
    const told = await api.became(await api.send("report", event));
    if (told.result === "refused") throw refusal(told);
  }

  // A 202 is never the last word: shows what became of a comment or an edit.
  async follow(comment, receipt, body) {
    comment.note = "";
    let told;
    try {
      told = await api.became(receipt);
    } catch (error) {
      comment.say(error.message);
      return;
    }
    const { result, reason, findings, revision } = told;
    if (result === "published") {
      const before = comment.data ?? {
        id: comment.id,
        root: comment.root ?? comment.id,
        parent: comment.parent,
        submitted_at: told.recorded_at,
        author: session.reader(),
        replies: 0,
        up: 0,
        down: 0,
        rating: 0,
      };
      comment.own = null;
      const edited = revision > 1 ? { revision, at: told.recorded_at } : null;
      // The stream may have brought it, or a newer one, already.
      if (!comment.data || (comment.data.edited?.revision ?? 1) < revision) {
        comment.data = { ...before, hidden: false, body, edited };
      }
      comment.note = badge("published");
      comment.render();
      setTimeout(() => comment.say(""), PUBLISHED_SHOWN_SECONDS * 1000);
    } else if (result === "waiting") {
      comment.say(t("unknownYet"));
    } else if (result === "refused" && comment.data) {
      comment.say(refusal(told).message);
    } else {
      const { id, parent, submittedAt } = comment;
      const waits = { id, parent, body, submitted_at: submittedAt };
      comment.own = { ...waits, status: result, reason, findings, revision };
      comment.render();
      if (result === "refused") comment.say(button(t("dismiss"), () => this.drop(comment), { class: "link" }));
    }
    this.showEmpty();
  }

  // --- around the list

  renderForm() {
    if (this.state !== "open") {
      this.form.replaceChildren(el("p", { class: "notice" }, t("closed")));
    } else if (!session.reader()) {
      this.form.replaceChildren(button(t("logInToComment"), session.choose, { class: "log-in" }));
    } else if (!this.form.querySelector("form")) {
      const submit = (text, id) => this.submit(text, id);
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

function badge(status) {
  return el("b", { class: `badge ${status}`, "data-status": status }, t(status));
}

function refusal(told) {
  return new Error(told.reason?.[document.documentElement.lang] ?? t("refused"));
}
