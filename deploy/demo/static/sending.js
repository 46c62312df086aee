// What the reader does in a thread: each sends one event and shows what became of it.

import * as api from "./api.js";
import * as session from "./session.js";
import { button, el } from "./dom.js";
import { t } from "./texts.js";

const PUBLISHED_SHOWN_SECONDS = 6;
// Had no effect, and never will.
const FAILED = new Set(["refused", "dead_lettered"]);

export async function submit(thread, body, id, parent) {
  const data = { discussion: thread.discussion, comment: id, body, ...(parent && { parent }) };
  const receipt = await api.send("comment", { id, type: "veche.comment.submitted.v1", data });
  const submitted_at = new Date().toISOString();
  // Where it had to be sent again the stream may have brought it already: then all see it.
  const comment = thread.putOwn({ id, parent, body, submitted_at, status: "waiting", fresh: true });
  follow(thread, comment, receipt, body);
}

export async function edit(thread, comment, body, id) {
  const data = { discussion: thread.discussion, comment: comment.id, body };
  const receipt = await api.send("comment", { id, type: "veche.comment.edited.v1", data });
  comment.say(t("waiting"));
  follow(thread, comment, receipt, body);
}

export async function remove(thread, comment) {
  const data = { discussion: thread.discussion, comment: comment.id };
  const event = { id: api.newId(), type: "veche.comment.deleted.v1", data };
  const told = await api.became(await api.send("comment", event));
  if (told.result === "waiting") throw new Error(t("unknownYet"));
  if (told.result !== "applied") throw refusal(told);
  comment.own = null;
  if (comment.data?.replies) {
    comment.data = { ...comment.data, hidden: true };
    comment.render();
  } else thread.drop(comment);
  // The focus went with the comment, unless the reader is at something else by now.
  if (document.activeElement === document.body) {
    document.getElementById("discussion").focus({ preventScroll: true });
  }
}

export async function report(thread, comment, reason, note) {
  const revision = comment.data.edited?.revision ?? 1;
  const data = { discussion: thread.discussion, comment: comment.id, revision, reason };
  if (note) data.note = note;
  const event = { id: api.newId(), type: "veche.report.filed.v1", data };
  const told = await api.became(await api.send("report", event));
  if (FAILED.has(told.result)) throw refusal(told);
}

// A 202 is never the last word: shows what became of a comment or an edit.
async function follow(thread, comment, receipt, body) {
  // The stream may take the comment away meanwhile.
  const { parent, submittedAt } = comment;
  const isNew = comment.own?.fresh;
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
      parent,
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
    const note = badge("published");
    comment.note = note;
    comment.render();
    setTimeout(() => comment.note === note && comment.say(""), PUBLISHED_SHOWN_SECONDS * 1000);
  } else if (result === "waiting") {
    comment.say(t("unknownYet"));
  } else if (result === "applied") {
    // The same text as before: nothing happened.
    comment.say("");
  } else if (FAILED.has(result) && !isNew) {
    comment.say(refusal(told).message);
  } else {
    const fresh = FAILED.has(result); // on this page alone: no load brings it, or may take it away
    const waits = { id: comment.id, parent, body, submitted_at: submittedAt };
    const own = thread.putOwn({ ...waits, status: result, reason, findings, revision, fresh });
    if (fresh) own.say(button(t("dismiss"), () => thread.drop(own), { class: "link" }));
  }
  thread.showEmpty();
}

function badge(status) {
  return el("b", { class: `badge ${status}`, "data-status": status }, t(status));
}

function refusal(told) {
  return new Error(told.reason?.[document.documentElement.lang] ?? t("refused"));
}
