// The portal's "Discussion" sidebar: what is talked about, the newest first, live.

import * as api from "./api.js";
import { el, timeOf } from "./dom.js";
import { listen } from "./live.js";
import { clock, language, number, t, unit } from "./texts.js";

const SHOWN = 15;
let close = () => {};

export async function open(place, current) {
  close();
  const state = el("p", { class: "state quiet", role: "status" });
  const list = el("ol", { class: "feed" });
  place.replaceChildren(el("h2", { id: "sidebar-title" }, t("sidebar")), state, list);
  let seen = null;

  const show = (feed) => {
    const before = seen;
    seen = new Map(feed.entries.map((entry) => [entry.discussion, entry.last_activity]));
    list.replaceChildren(
      ...feed.entries.slice(0, SHOWN).map((entry) => {
        const fresh = before && before.get(entry.discussion) !== entry.last_activity;
        return row(entry, entry.discussion === current, fresh);
      }),
    );
  };
  const live = (yes) => {
    state.textContent = yes ? t("live") : t("offline");
    state.classList.toggle("on", yes);
  };

  close = listen(api.FEED_STREAM, null, { feed: show }, live);
  try {
    const feed = await api.feed();
    if (!seen) show(feed);
  } catch {
    // The stream brings the feed as soon as there is one.
  }
}

function row(entry, current, fresh) {
  const query = new URLSearchParams({ d: entry.discussion, lang: language });
  return el(
    "li",
    { class: fresh ? "fresh" : undefined },
    timeOf(entry.last_activity, clock),
    el(
      "a",
      { href: `/?${query}`, lang: entry.language, "aria-current": current ? "page" : undefined },
      entry.title,
    ),
    el(
      "span",
      { class: "count", title: `${number(entry.comments)} ${unit("comments", entry.comments)}` },
      number(entry.comments),
    ),
  );
}
