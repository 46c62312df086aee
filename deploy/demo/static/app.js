// The page: an article as a portal shows it, its strip, its thread and the sidebar.

import * as api from "./api.js";
import * as session from "./session.js";
import * as sidebar from "./sidebar.js";
import { MAIN, renderStory } from "./article.js";
import { button, el, refreshTimes } from "./dom.js";
import { listen } from "./live.js";
import { persistent } from "./persist.js";
import { Strip } from "./strip.js";
import { language, speak, t } from "./texts.js";
import { SORTS, Thread } from "./thread.js";
import { written } from "./version.js";

const query = new URLSearchParams(location.search);
const place = (id) => document.getElementById(id);
let sort = "newest";
let opened = { thread: null, close: () => {} };

speak(query.get("lang") ?? localStorage.getItem("veche-language") ?? navigator.language.slice(0, 2));
session.restore(() => {
  session.renderReader(place("reader"));
  openDiscussion();
});
for (const choice of place("languages").children) {
  choice.addEventListener("click", () => {
    localStorage.setItem("veche-language", choice.dataset.language);
    speak(choice.dataset.language);
    query.set("lang", language);
    history.replaceState(null, "", `?${query}`);
    show();
  });
}
setInterval(refreshTimes, 30_000);
show();

function discussionId() {
  return query.get("d") && query.get("d") !== MAIN.ru && query.get("d") !== MAIN.en
    ? query.get("d")
    : MAIN[language];
}

function show() {
  place("portal").textContent = t("portal");
  place("skip").textContent = t("skip");
  place("colophon").textContent = t("colophon");
  place("languages").setAttribute("aria-label", t("language"));
  for (const choice of place("languages").children) {
    choice.setAttribute("aria-pressed", String(choice.dataset.language === language));
  }
  session.renderReader(place("reader"));
  openDiscussion();
  sidebar.open(place("sidebar"), discussionId());
}

async function openDiscussion() {
  opened.close();
  opened.thread?.close();
  const id = discussionId();
  const strip = new Strip(id);
  // Another order or reader: what was typed stays.
  const draft = opened.thread?.discussion === id ? opened.thread.draft : "";
  const thread = new Thread(id, sort, draft);
  const mine = { thread, close: () => {} };
  opened = mine;
  const story = renderStory(place("story"), id, strip.element);
  renderSection(thread);

  const opening = await untilOpen(id, thread, () => opened === mine);
  if (!opening || opened !== mine) return;
  story.title(opening);
  strip.show(opening);
  thread.setState(opening.state);
  thread.heard.hear(opening.version);
  const reload = persistent(
    async () => {
      await thread.load();
      strip.vote.setMine(thread.votes.discussion);
    },
    { wanted: () => opened === mine, failed: (error) => thread.say(error.message) },
  );
  const loaded = reload();
  // From the strip on: it may be older than the thread, never newer. What comes waits for the load.
  mine.close = listen(api.streamOf(id), written(opening.version), {
    strip: (newest) => {
      strip.show(newest);
      thread.setState(newest.state);
    },
    comments: (changes) => thread.changed(changes),
    reset: ({ version }) => {
      thread.reset(version);
      reload();
    },
  });
  await loaded;
  if (opened === mine) countView(id);
}

// The strip; waits for a discussion that the portal is only about to open.
async function untilOpen(id, thread, wanted) {
  for (let tries = 0; wanted(); tries += 1) {
    try {
      return await api.strip(id);
    } catch (error) {
      thread.say(error.status === 404 && tries < 60 ? t("opening") : error.message);
      await api.pause(Math.min(1 + tries / 10, 5));
    }
  }
  return null;
}

function renderSection(thread) {
  const orders = SORTS.map((name) =>
    button(t(name), () => {
      sort = name;
      openDiscussion();
      place("discussion").querySelector("[aria-pressed=true]").focus();
    }, { class: "link", "aria-pressed": String(name === sort) }),
  );
  thread.renderForm();
  place("discussion").replaceChildren(
    el(
      "div",
      { class: "section-head" },
      el("h2", { id: "discussion-title" }, t("discussion")),
      el("div", { class: "orders", role: "group", "aria-label": t("sortBy") }, ...orders),
    ),
    thread.element,
  );
}

async function countView(discussion) {
  const event = { id: api.newId(), type: "veche.discussion.viewed.v1", data: { discussion } };
  // A view that cannot be counted is nothing to tell the reader about.
  await api.send("view", event).catch(() => {});
}
