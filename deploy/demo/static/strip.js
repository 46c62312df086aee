// The strip under the title: views · comments · rating.

import { el } from "./dom.js";
import { number, t, unit } from "./texts.js";
import { Vote } from "./vote.js";

export class Strip {
  constructor(discussion) {
    this.views = figure("views");
    this.comments = figure("comments");
    this.vote = new Vote({ discussion });
    this.element = el(
      "div",
      { class: "strip" },
      this.views.element,
      this.comments.element,
      el("span", { class: "figure" }, this.vote.element, el("span", { class: "unit" }, t("rating"))),
    );
  }

  show(strip) {
    this.views.show(strip.views);
    this.comments.show(strip.comments);
    this.vote.setRating(strip.rating);
  }
}

function figure(name) {
  const value = el("b", {}, "–");
  const named = el("span", { class: "unit" }, unit(name, 0));
  const show = (count) => {
    value.textContent = number(count);
    named.textContent = unit(name, count);
  };
  return { element: el("span", { class: `figure ${name}` }, value, named), show };
}
