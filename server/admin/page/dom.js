// Elements of the page. Whatever is shown is made here, of text nodes: no data is ever read as markup. The page's content
// security policy, with trusted types, holds the rest of the scripts to that.

// Characters that would not be seen, or that would change the order in which others are.
const unseen = /[\p{C}\p{Zl}\p{Zp}]/gu;

// printable shows them as escapes.
const printable = (text) =>
  String(text).replace(unseen, (c) => `\\u{${c.codePointAt(0).toString(16)}}`);

// el makes an element. Attributes that are false or undefined are left out; on… are listeners. Children are nodes or text;
// false, undefined and empty ones are left out.
export function el(tag, attributes = {}, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === undefined) continue;
    if (name.startsWith("on")) e.addEventListener(name.slice(2), value);
    else e.setAttribute(name, value === true ? "" : printable(value));
  }
  e.append(...nodes(children));
  return e;
}

export const code = (text) => el("code", {}, String(text ?? ""));

// separated puts a text between items.
export const separated = (items, between = ", ") => items.flatMap((item, i) => (i ? [between, item] : [item]));

const nodes = (children) =>
  children.flat(Infinity).filter((c) => c || c === 0).map((c) => (c instanceof Node ? c : document.createTextNode(printable(c))));

// fill replaces what is in an element.
export const fill = (parent, ...children) => parent.replaceChildren(...nodes(children));

// say sets an element's text where it is another one, so that a selection in it lives.
export function say(element, text) {
  text = printable(text);
  if (element.textContent !== text) element.textContent = text;
}

// whenNew returns a function that calls render only with a value that differs from the one before.
export function whenNew(render) {
  let before;
  return (value) => {
    const now = JSON.stringify(value);
    if (now === before) return;
    before = now;
    render(value);
  };
}

// list keeps an element's children in step with items: what has the same key stays the same element, so that focus, a
// selection and what is folded open survive. Of items that share a key, the first of one time is the first of the next.
// make(item) returns { node, update(item, …) }.
export function list(parent, keyOf, make) {
  let rows = new Map();
  return (items, ...more) => {
    const next = new Map();
    for (const item of items) {
      let key = keyOf(item);
      while (next.has(key)) key += "+";
      const row = rows.get(key) ?? make(item);
      row.update(item, ...more);
      next.set(key, row);
    }
    for (const [key, row] of rows) if (!next.has(key)) row.node.remove();
    rows = next;
    let at = parent.firstChild;
    for (const { node } of rows.values()) {
      if (node === at) at = at.nextSibling;
      else parent.insertBefore(node, at);
    }
  };
}

export const byId = (id) => document.getElementById(id);

let announced;

// announce has a screen reader say a sentence, without moving to it.
export function announce(text) {
  clearTimeout(announced);
  say(byId("announced"), text);
  announced = setTimeout(() => say(byId("announced"), ""), 10_000);
}
