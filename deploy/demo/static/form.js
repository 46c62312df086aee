// A form for a text: a new comment, a reply or an edit. What was typed survives a failure.

import * as api from "./api.js";
import { button, el, labelled } from "./dom.js";
import { number, t } from "./texts.js";

const MAX_CODE_POINTS = 10_000;
const WARN_AT = 9_000;

// `submit(text, id)` sends; the same text after a failure goes out under the same id again.
export function textForm({ label, action, text = "", submit, cancel }) {
  let sent = null;
  const area = el("textarea", { rows: 4, required: true });
  area.value = text;
  const count = el("span", { class: "quiet", "aria-live": "polite" });
  const error = el("p", { class: "error", role: "alert" });
  const go = el("button", { type: "submit", class: "primary" }, action);

  const measure = () => {
    const length = [...area.value].length;
    count.textContent = length > WARN_AT ? t("left", number(MAX_CODE_POINTS - length)) : "";
    return length;
  };
  area.addEventListener("input", measure);
  area.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });

  const form = el(
    "form",
    { class: "text-form" },
    labelled(label, area),
    el(
      "div",
      { class: "actions" },
      go,
      cancel ? button(t("cancel"), cancel, { class: "link" }) : null,
      count,
    ),
    error,
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const body = area.value.trim();
    if (!body || go.disabled) return;
    const length = measure();
    if (length > MAX_CODE_POINTS) {
      error.textContent = t("tooLong", number(length), number(MAX_CODE_POINTS));
      return;
    }
    if (sent?.body !== body) sent = { body, id: api.newId() };
    error.textContent = "";
    go.disabled = true;
    go.textContent = t("sending");
    try {
      await submit(body, sent.id);
      area.value = "";
      sent = null;
    } catch (problem) {
      error.textContent = problem.message;
    } finally {
      go.disabled = false;
      go.textContent = action;
      measure();
    }
  });
  cancelledByEscape(form, cancel);
  form.start = () => area.focus();
  return form;
}

export function reportForm({ submit, cancel }) {
  const reason = el(
    "select",
    {},
    ...Object.entries(t("reasons")).map(([value, name]) => el("option", { value }, name)),
  );
  const note = el("input", { type: "text", maxlength: 1000 });
  return questionForm({
    fields: [labelled(t("reportWhy"), reason), labelled(t("reportNote"), note)],
    action: t("reportSend"),
    submit: () => submit(reason.value, note.value.trim()),
    cancel,
  });
}

// One question with fields or none; its answer is sent or cancelled.
export function questionForm({ question, fields = [], action, submit, cancel }) {
  const error = el("p", { class: "error", role: "alert" });
  const go = el("button", { type: "submit", class: "primary" }, action);
  const form = el(
    "form",
    { class: "text-form" },
    question ? el("p", {}, question) : null,
    ...fields,
    el("div", { class: "actions" }, go, button(t("cancel"), cancel, { class: "link" })),
    error,
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    go.disabled = true;
    error.textContent = "";
    try {
      await submit();
    } catch (problem) {
      error.textContent = problem.message;
      go.disabled = false;
    }
  });
  cancelledByEscape(form, cancel);
  form.start = () => form.querySelector("select, button").focus();
  return form;
}

function cancelledByEscape(form, cancel) {
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && cancel) cancel();
  });
}
