// The public API as the page uses it.

import * as session from "./session.js";
import { call } from "./call.js";

export const SITE = "demo";
const TRIES = 3;
const RECEIPT_SECONDS = 30;

const of = (discussion) => `/v1/sites/${SITE}/discussions/${encodeURIComponent(discussion)}`;

export const strip = (discussion) => call("GET", of(discussion));
export const streamOf = (discussion) => `${of(discussion)}/stream`;
export const feed = () => call("GET", `/v1/sites/${SITE}/feeds/latest`);
export const FEED_STREAM = `/v1/sites/${SITE}/feeds/latest/stream`;

export function comments(discussion, sort, cursor = "") {
  const query = new URLSearchParams({ sort, ...(cursor && { cursor }) });
  return call("GET", `${of(discussion)}/comments?${query}`);
}

export function replies(discussion, root, cursor) {
  const query = new URLSearchParams({ cursor });
  return call("GET", `${of(discussion)}/comments/${encodeURIComponent(root)}/replies?${query}`);
}

// The reader's own: { comments } that others do not see as written, and { discussion, comments } votes.
export async function mine(discussion, what) {
  const token = await session.token();
  const path = `/v1/me/sites/${SITE}/discussions/${encodeURIComponent(discussion)}/${what}`;
  return call("GET", path, { token });
}

export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

// Sends one event; where the answer is "unknown", the same id again. Returns its receipt.
export async function send(kind, event) {
  const token = session.reader() ? await session.token() : undefined;
  const body = token ? event : { ...event, site: SITE };
  for (let attempt = 1; ; attempt += 1) {
    try {
      return (await call("POST", `/v1/events/${kind}`, { body, token })).receipt;
    } catch (error) {
      if (!error.unknown || attempt === TRIES) throw error;
      await pause(0.5 * attempt);
    }
  }
}

// Asks until the event is no longer waiting: { result, reason, findings, now }.
export async function became(receipt) {
  const until = Date.now() + RECEIPT_SECONDS * 1000;
  let wait = 0.1;
  for (;;) {
    try {
      const told = await call("GET", `/v1/receipts/${encodeURIComponent(receipt)}`);
      if (told.result !== "waiting" || Date.now() > until) return told;
    } catch (error) {
      if (!error.unknown || Date.now() > until) throw error;
    }
    await pause(wait);
    wait = Math.min(1, wait * 1.5);
  }
}
