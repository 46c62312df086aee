// One request of the API. Errors are sentences: a problem document's `detail`.

import { t } from "./texts.js";

const SECONDS = 8;

export class ApiError extends Error {
  constructor(status, sentence, problem = {}) {
    super(sentence);
    this.status = status;
    this.problem = problem;
  }

  // The same id may be sent again: what became of it is not known.
  get unknown() {
    return this.status === 0 || this.status === 503;
  }
}

export async function call(method, path, { body, token } = {}) {
  const headers = {};
  if (body !== undefined) headers["content-type"] = "application/json";
  if (token) headers.authorization = `Bearer ${token}`;
  let response;
  try {
    response = await fetch(path, {
      method,
      // The browser's own copy may be seconds old: it is asked for anew, by its ETag.
      cache: "no-cache",
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(SECONDS * 1000),
    });
  } catch {
    throw new ApiError(0, t("noConnection"));
  }
  let answer = {};
  try {
    answer = await response.json();
  } catch {
    // An error may come from a proxy, as a page. What was to be read and broke off was not answered.
    if (response.ok) throw new ApiError(0, t("noConnection"));
  }
  if (response.ok) return answer;
  throw new ApiError(response.status, answer.detail ?? t("failed", response.status), answer);
}
