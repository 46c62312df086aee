// One comment: its text, what its author is told about it, votes, and what one can do with it.

import * as session from "./session.js";
import { button, el, marked, timeOf } from "./dom.js";
import { questionForm, reportForm, textForm } from "./form.js";
import { ago, language, t } from "./texts.js";
import { Vote } from "./vote.js";

export class Comment {
  // `actions`: reply, edit, remove and report, each (comment, …) => Promise; nameOf(id).
  constructor(id, discussion, actions) {
    this.id = id;
    this.discussion = discussion;
    this.actions = actions;
    this.data = null; // as all readers see it
    this.own = null; // as its author alone sees it
    this.note = ""; // what became of the last thing that the reader did
    this.head = el("header");
    this.body = el("div", { class: "body" });
    this.told = el("div", { class: "told", role: "status" });
    this.foot = el("footer");
    this.slot = el("div", { class: "slot" });
    this.replies = el("ol", { class: "replies" });
    this.more = el("div", { class: "more" });
    this.box = el("article", {}, this.head, this.body, this.told, this.foot, this.slot);
    this.element = el("li", { class: "comment", id: `c-${id}` }, this.box, this.replies, this.more);
    this.vote = null;
  }

  get parent() {
    return (this.data ?? this.own)?.parent ?? null;
  }

  get submittedAt() {
    return (this.data ?? this.own)?.submitted_at;
  }

  get author() {
    return this.data?.author ?? (this.own ? session.reader() : null);
  }

  get isMine() {
    const reader = session.reader();
    return Boolean(reader && (this.own || this.data?.author?.id === reader.id));
  }

  get isPublic() {
    return Boolean(this.data && !this.data.hidden);
  }

  // What waited is no longer of its author alone once all see it, or what came after it.
  settle() {
    if (!this.isPublic || !this.own) return;
    if ((this.own.revision ?? 1) <= (this.data.edited?.revision ?? 1)) this.own = null;
  }

  render() {
    const shown = this.data ?? this.own;
    this.element.classList.toggle("own", this.isMine);
    this.element.classList.toggle("waiting", !this.isPublic && Boolean(this.own));
    this.renderTold();
    if (!this.isPublic && !this.own) {
      this.head.replaceChildren();
      this.body.replaceChildren(el("p", { class: "quiet" }, t("tombstone")));
      this.foot.replaceChildren();
      this.slot.replaceChildren();
      return;
    }
    const above = this.parent && this.parent !== this.root ? this.actions.nameOf(this.parent) : "";
    this.head.replaceChildren(
      el("b", { class: "author" }, this.author?.name ?? ""),
      above ? el("a", { class: "above", href: `#c-${this.parent}` }, t("to", above)) : "",
      timeOf(shown.submitted_at, ago),
      this.data?.edited ? el("span", { class: "quiet", title: this.data.edited.at }, t("edited")) : "",
    );
    const text = this.isPublic ? this.data.body : this.ownMarked();
    this.body.replaceChildren(el("p", { class: "text" }, text));
    this.renderFoot();
  }

  // The author's own words, with what the rules found in them.
  ownMarked() {
    const spans = (this.own.findings ?? []).flatMap((found) => found.spans ?? []);
    return marked(this.own.body, spans);
  }

  // The status of the author's own words, and why: what a moderator said stands for all the rest.
  renderTold() {
    if (!this.own) {
      this.told.replaceChildren(this.note);
      return;
    }
    const { status, reason, findings = [], revision } = this.own;
    const edit = this.isPublic;
    const badge = edit ? (status === "held" ? "editHeld" : "editRejected") : status;
    const sentences = new Set(findings.map((found) => found.reason?.[language]).filter(Boolean));
    if (reason?.said) sentences.add(t("moderatorSaid", reason.said));
    else if (!sentences.size && reason) sentences.add(reason[language]);
    this.told.replaceChildren(
      el("b", { class: `badge ${status}`, "data-status": status, "data-revision": revision }, t(badge)),
      [...sentences].map((sentence) => ` ${sentence}`).join(""),
      edit ? el("p", { class: "text quoted" }, this.ownMarked()) : "",
      status === "held" || status === "rejected" ? el("span", { class: "quiet" }, ` ${t("onlyYou")}`) : "",
      this.note ? " " : "",
      this.note,
    );
  }

  renderFoot() {
    const parts = [];
    if (this.isPublic) {
      if (!this.vote) {
        const target = { discussion: this.discussion, comment: this.id };
        this.vote = new Vote(target, { own: this.isMine });
      }
      parts.push(this.vote.element);
    }
    const link = (name, action) => button(t(name), action, { class: "link", "data-action": name });
    if (session.reader()) {
      if (this.isPublic && this.actions.isOpen()) parts.push(link("reply", () => this.openReply()));
      if (this.isMine && (this.isPublic || this.own?.revision)) {
        parts.push(link("edit", () => this.openEdit()), link("remove", () => this.openRemove()));
      } else if (this.isPublic) {
        parts.push(link("report", () => this.openReport()));
      }
    }
    const focused = this.foot.contains(document.activeElement) ? document.activeElement : null;
    this.foot.replaceChildren(...parts);
    if (this.foot.contains(focused)) focused.focus();
    else if (focused) this.focusOn(focused.dataset.action);
  }

  focusOn(action) {
    this.foot.querySelector(`[data-action="${action}"]`)?.focus();
  }

  say(text) {
    this.note = text;
    this.renderTold();
  }

  open(form) {
    this.opener = document.activeElement?.dataset.action;
    this.slot.replaceChildren(form);
    form.start();
  }

  // Who worked by keyboard goes on from where the form was opened.
  close = () => {
    const within = this.slot.contains(document.activeElement);
    this.slot.replaceChildren();
    if (within) this.focusOn(this.opener);
  };

  openReply() {
    const submit = async (text, id) => {
      await this.actions.reply(this, text, id);
      this.close();
    };
    const label = t("yourReplyTo", this.author?.name ?? "");
    this.open(textForm({ label, action: t("publish"), submit, cancel: this.close }));
  }

  openEdit() {
    const submit = async (text, id) => {
      await this.actions.edit(this, text, id);
      this.close();
    };
    const text = this.own?.body ?? this.data.body;
    this.open(textForm({ label: t("newText"), action: t("save"), text, submit, cancel: this.close }));
  }

  openRemove() {
    const submit = async () => {
      await this.actions.remove(this);
      this.close();
    };
    const question = t("removeSure");
    this.open(questionForm({ question, action: t("remove"), submit, cancel: this.close }));
  }

  openReport() {
    const submit = async (reason, note) => {
      await this.actions.report(this, reason, note);
      this.close();
      this.say(t("reported"));
    };
    this.open(reportForm({ submit, cancel: this.close }));
  }
}
