// Arrows around a rating. The number moves at once and is corrected by what the server says.

import * as api from "./api.js";
import * as session from "./session.js";
import { button, el } from "./dom.js";
import { language, number, t } from "./texts.js";

export class Vote {
  // `target` is { discussion, comment? }; `mine` is the reader's vote as the rating counts it.
  constructor(target, { own = false } = {}) {
    this.target = target;
    this.rating = 0;
    this.counted = 0;
    this.wanted = 0;
    this.kept = 0; // what the server accepted last
    this.pending = false;
    this.untold = 0; // votes of which it is not known yet what became
    this.sent = Promise.resolve();
    const arrow = (value, sign, name) =>
      button(sign, () => this.cast(value), {
        class: "arrow",
        "aria-label": t(name),
        title: t(name),
        disabled: own,
      });
    this.up = arrow(1, "▲", "voteUp");
    this.down = arrow(-1, "▼", "voteDown");
    this.shown = el("output", { class: "rating" });
    this.said = el("span", { class: "error", role: "alert" });
    this.element = el("span", { class: "vote" }, this.up, this.shown, this.down, this.said);
    this.render();
  }

  // What the server counts now; a vote sent since is in it, or soon will be.
  setRating(rating) {
    this.rating = rating;
    if (!this.pending) this.counted = this.wanted;
    this.render();
  }

  setMine(value) {
    if (this.untold) return;
    this.counted = value;
    this.wanted = value;
    this.kept = value;
    this.render();
  }

  cast(arrow) {
    if (!session.reader()) {
      session.choose();
      return;
    }
    const value = this.wanted === arrow ? 0 : arrow;
    this.wanted = value;
    this.pending = true;
    this.untold += 1;
    this.said.textContent = "";
    this.render();
    // One after another: a first one that has to be sent again must not land behind the second.
    this.sent = this.sent.then(() => this.send(value));
  }

  async send(value) {
    const before = this.kept;
    try {
      // Where the mind was changed before its turn came, only the newer one goes.
      if (this.wanted !== value) return;
      const type = "veche.vote.cast.v1";
      const data = { ...this.target, value };
      const receipt = await api.send("vote", { id: api.newId(), type, data });
      this.kept = value;
      // Accepted: the next rating from the server has it, but for a moment's delay.
      if (this.wanted === value) this.pending = false;
      this.untold += 1;
      this.follow(receipt, value, before);
    } catch (error) {
      this.failed(error, value, before);
    } finally {
      this.untold -= 1;
    }
  }

  async follow(receipt, value, before) {
    try {
      const told = await api.became(receipt);
      if (["refused", "dead_lettered"].includes(told.result)) throw new Error(told.reason?.[language] ?? t("refused"));
    } catch (error) {
      this.failed(error, value, before);
    } finally {
      this.untold -= 1;
    }
  }

  failed(error, value, before) {
    if (this.kept === value) this.kept = before;
    if (this.wanted === value) {
      this.wanted = before;
      this.pending = false;
    }
    this.said.textContent = error.message;
    this.render();
  }

  render() {
    const rating = this.rating + this.wanted - this.counted;
    this.shown.textContent = rating > 0 ? `+${number(rating)}` : number(rating).replace("-", "−");
    this.shown.setAttribute("aria-label", `${t("rating")} ${rating}`);
    this.shown.classList.toggle("good", rating > 0);
    this.shown.classList.toggle("bad", rating < 0);
    this.up.setAttribute("aria-pressed", String(this.wanted > 0));
    this.down.setAttribute("aria-pressed", String(this.wanted < 0));
  }
}
