// Server-sent events that come back by themselves, from the version seen last.

const FIRST_PAUSE = 1;
const LONGEST_PAUSE = 15;

// `since` is the version held; "" where it is not known, null where nothing is held yet.
// `handlers` by event name get the decoded data; `state(true | false)` says whether it is live.
// Returns a function that closes the stream.
export function listen(path, since, handlers, state = () => {}) {
  let source = null;
  let timer = 0;
  let pause = FIRST_PAUSE;
  let last = since;
  let closed = false;

  const open = () => {
    source = new EventSource(last === null ? path : `${path}?since=${encodeURIComponent(last)}`);
    source.onopen = () => {
      pause = FIRST_PAUSE;
      state(true);
    };
    source.onerror = () => {
      state(false);
      // The browser itself comes back after a lost connection, but not after an HTTP error.
      if (source.readyState !== EventSource.CLOSED || closed) return;
      timer = setTimeout(open, pause * 1000 * (0.75 + Math.random() / 2));
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    };
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => {
        if (event.lastEventId) last = event.lastEventId;
        handle(JSON.parse(event.data));
      });
    }
  };

  open();
  return () => {
    closed = true;
    clearTimeout(timer);
    source.close();
  };
}
