// Elements without markup strings: every text goes in as a text node.

export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function button(text, onclick, attributes = {}) {
  return el("button", { type: "button", onclick, ...attributes }, text);
}

let labels = 0;

export function labelled(text, control) {
  control.id = `field-${(labels += 1)}`;
  return el("div", { class: "field" }, el("label", { for: control.id }, text), control);
}

// A time that `refreshTimes` keeps up to date.
export function timeOf(instant, shown) {
  const element = el("time", { datetime: instant });
  element.shown = shown;
  element.textContent = shown(instant);
  element.title = new Date(instant).toLocaleString(document.documentElement.lang);
  return element;
}

export function refreshTimes() {
  for (const element of document.querySelectorAll("time")) {
    if (element.shown) element.textContent = element.shown(element.dateTime);
  }
}

// Text with spans marked; spans count code points, strings count UTF-16 units.
export function marked(text, spans) {
  const points = [...text];
  const parts = document.createDocumentFragment();
  let at = 0;
  for (const [start, end] of [...spans].sort((a, b) => a[0] - b[0])) {
    if (start < at) continue;
    parts.append(points.slice(at, start).join(""));
    parts.append(el("mark", {}, points.slice(start, end).join("")));
    at = end;
  }
  parts.append(points.slice(at).join(""));
  return parts;
}
