// Who reads: a sample reader with a short-lived token of the demonstration's issuer, or nobody.

import { call } from "./call.js";
import { button, el } from "./dom.js";
import { language, t } from "./texts.js";

const KEPT = "veche-demo-session";
let current = null;
let changed = () => {};

export function restore(onchange) {
  changed = onchange;
  try {
    current = JSON.parse(sessionStorage.getItem(KEPT));
  } catch {
    current = null;
  }
}

export const reader = () => current?.reader ?? null;

// A token that is good for another minute at least.
export async function token() {
  if (current.expires_at * 1000 < Date.now() + 60_000) await ask(current.reader.id);
  return current.token;
}

async function ask(id) {
  current = await call("POST", "/demo/token", { body: { reader: id } });
  sessionStorage.setItem(KEPT, JSON.stringify(current));
}

function signOut() {
  current = null;
  sessionStorage.removeItem(KEPT);
  changed();
}

export function renderReader(place) {
  if (!current) {
    place.replaceChildren(button(t("signIn"), choose, { class: "primary small" }));
    return;
  }
  place.replaceChildren(
    el(
      "span",
      { class: "who" },
      el("span", { class: "quiet wide" }, `${t("signedInAs")} `),
      el("strong", {}, current.reader.name),
    ),
    button(t("signOut"), signOut, { class: "link" }),
  );
}

// Opens the picker of sample readers.
export async function choose() {
  const dialog = document.getElementById("picker");
  const toComment = document.activeElement?.classList.contains("log-in");
  const error = el("p", { class: "error", role: "alert" });
  const list = el("div", { class: "readers" });
  dialog.replaceChildren(
    el("h2", { id: "picker-title" }, t("pickerTitle")),
    el("p", { class: "quiet" }, t("pickerNote")),
    list,
    error,
    button(t("cancel"), () => dialog.close(), { class: "link" }),
  );
  if (!dialog.open) dialog.showModal();
  const pick = async (id) => {
    try {
      await ask(id);
      dialog.close();
      changed();
      document.querySelector(toComment ? ".new-comment textarea" : "#reader button").focus();
    } catch (problem) {
      error.textContent = problem.message;
    }
  };
  try {
    const { readers } = await call("GET", "/demo/readers");
    list.replaceChildren(
      ...readers.map((one) =>
        button(one[language], () => pick(one.id), { class: "choice", "data-reader": one.id }),
      ),
    );
    list.firstChild?.focus();
  } catch (problem) {
    error.textContent = problem.message;
  }
}
