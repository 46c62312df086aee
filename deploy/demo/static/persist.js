// Work that is tried until it goes well, with growing pauses.

import { pause } from "./api.js";

const FIRST_PAUSE = 1;
const LONGEST_PAUSE = 15;

// Returns a function that asks for `work()` and resolves when it is done. Asked for again while it
// runs, it runs once more: what it did so far may be older than what was asked for.
// `wanted()` false ends it; `failed(error)` hears of each try that failed.
export function persistent(work, { wanted, failed }) {
  let asked = false;
  let running = null;

  async function run() {
    let wait = FIRST_PAUSE;
    while (asked && wanted()) {
      asked = false;
      try {
        await work();
        wait = FIRST_PAUSE;
      } catch (error) {
        if (!wanted()) break;
        asked = true;
        failed(error);
        await pause(wait * (0.75 + Math.random() / 2));
        wait = Math.min(wait * 2, LONGEST_PAUSE);
      }
    }
    running = null;
  }

  return () => {
    asked = true;
    running ??= run();
    return running;
  };
}
