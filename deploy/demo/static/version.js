// Versions of a discussion: [incarnation, number] in data, "incarnation.number" in addresses.

import { t } from "./texts.js";

// "" where it is unknown.
export function written(version) {
  return Array.isArray(version) ? version.join(".") : (version ?? "");
}

// Both as written. Nothing is older than what is unknown, which is older than nothing.
export function older(one, other) {
  if (!one || !other) return false;
  const [a, b] = [one, other].map((version) => version.split(".").map(Number));
  return a[0] === b[0] ? a[1] < b[1] : a[0] < b[0];
}

// The newest version heard of.
export class Heard {
  newest = "";

  hear(version) {
    if (!this.newest || older(this.newest, written(version))) this.newest = written(version);
  }

  // What comes from here on follows this version, also where a higher one was heard of before.
  reset(version) {
    this.newest = written(version);
  }

  // The page; a cache or another server may be behind what was heard, then changes are missing.
  current(page) {
    if (older(page.version, this.newest)) throw new Error(t("behind"));
    this.hear(page.version);
    return page;
  }
}
