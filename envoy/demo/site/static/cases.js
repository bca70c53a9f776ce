// The cases of the demo. Each says what it sends and what is expected, and its run function tries it from this very
// browser and returns { ok, outcome, lines }: whether that is what was expected, "read" or "refused", and what to show,
// each line a text or { outcome, text }.
"use strict";

const { api: API, files: FILES, own: OWN, other: OTHER } = document.body.dataset;

// attempt sends a request and says what a script gets to see of the answer.
async function attempt(url, init) {
  try {
    const response = await fetch(url, init);
    const text = await response.text();
    return { read: true, status: response.status, headers: response.headers, text, json: () => JSON.parse(text) };
  } catch (error) {
    return { read: false, error: String(error) };
  }
}

// told puts one attempt into words. What follows is added to those about a readable answer.
function told(result, what, more = "") {
  return result.read
    ? { outcome: "read", text: `${what}: status ${result.status}, readable${more}` }
    : { outcome: "refused", text: `${what}: not readable. The script is told “${result.error}”` };
}

const outcome = (result) => (result.read ? "read" : "refused");

// loadImage resolves with the image once its pixels are there.
function loadImage(src, crossOrigin) {
  return new Promise((resolve, reject) => {
    const image = new Image();
    if (crossOrigin !== undefined) image.crossOrigin = crossOrigin;
    image.onload = () => resolve(image);
    image.onerror = () => reject(new Error("the image could not be loaded"));
    image.src = src;
  });
}

// draw puts the image into a canvas and returns the colour of one of its pixels, which throws where the page may not read it.
function draw(image) {
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", "The picture, drawn from pixels that this page was allowed to read");
  const [r, g, b] = context.getImageData(352, 104, 1, 1).data;
  return { canvas, colour: `rgb(${r}, ${g}, ${b})` };
}

const CASES = [
  {
    id: "allowed-get",
    title: "An allowed GET",
    about: "The simplest of all: the request goes out at once, and the answer names this page's origin, so the browser hands it over.",
    sent: ["GET /hello"],
    expected: "Readable.",
    async run() {
      const got = await attempt(`${API}/hello`);
      const lines = [told(got, "GET")];
      if (got.read) lines.push(`The upstream saw Origin: ${got.json().headers.Origin}`);
      return { ok: got.read && got.status === 200, outcome: outcome(got), lines };
    },
  },
  {
    id: "custom-header",
    title: "A POST with X-Custom-Header",
    about: "The header is not one that any page may send, so the browser asks first: a preflight. corsproc answers it in the gateway.",
    sent: ["OPTIONS /orders (the browser asks)", "POST /orders", "X-Custom-Header: hello"],
    expected: "Readable, and the preflight never reaches the upstream.",
    async run() {
      const got = await attempt(`${API}/orders`, { method: "POST", headers: { "X-Custom-Header": "hello" }, body: "one tea, please" });
      const lines = [told(got, "POST")];
      if (!got.read) return { ok: false, outcome: "refused", lines };
      const echo = got.json();
      lines.push(`The upstream got X-Custom-Header: ${echo.headers["X-Custom-Header"]}`);
      lines.push(`Preflights that the upstream has ever seen: ${echo.preflights_seen}`);
      return { ok: got.status === 200 && echo.headers["X-Custom-Header"] === "hello" && echo.preflights_seen === 0, outcome: "read", lines };
    },
  },
  {
    id: "json-body",
    title: "A JSON body",
    about: "No header of one's own, and still a preflight: application/json is a media type that no form could ever have sent.",
    sent: ["OPTIONS /orders (the browser asks)", "POST /orders", "Content-Type: application/json", '{"tea": 1}'],
    expected: "Readable: the policy allows Content-Type.",
    async run() {
      const got = await attempt(`${API}/orders`, { method: "POST", headers: { "Content-Type": "application/json" }, body: '{"tea": 1}' });
      const lines = [told(got, "POST")];
      if (got.read) lines.push(`The upstream got ${got.json().body} as ${got.json().headers["Content-Type"]}`);
      return { ok: got.read && got.json().body === '{"tea": 1}', outcome: outcome(got), lines };
    },
  },
  {
    id: "exposed-header",
    title: "An exposed response header",
    about: "Of an answer's headers a script sees a safe few, and those that the policy exposes.",
    sent: ["GET /orders/7"],
    expected: "X-Request-Id is visible, X-Served-By (which is sent too) is not.",
    async run() {
      const got = await attempt(`${API}/orders/7`);
      const lines = [told(got, "GET")];
      if (!got.read) return { ok: false, outcome: "refused", lines };
      const id = got.headers.get("X-Request-Id");
      const by = got.headers.get("X-Served-By");
      lines.push(id ? `X-Request-Id: ${id}` : "X-Request-Id: not visible");
      lines.push(by ? `X-Served-By: ${by}` : "X-Served-By: not visible");
      return { ok: Boolean(id) && by === null, outcome: id ? "read" : "refused", lines };
    },
  },
  {
    id: "image-canvas",
    title: "A picture, read through a canvas",
    about: "Any page may show a picture from elsewhere. To read its pixels it has to ask with crossorigin, and be allowed.",
    sent: ["GET /picture.png without crossorigin", 'GET /picture.png with crossorigin="anonymous"'],
    expected: "Shown both times; pixels readable only when asked for with crossorigin.",
    async run(card) {
      const lines = [];
      let tainted = false;
      try {
        const plain = await loadImage(`${API}/picture.png?plain`);
        draw(plain);
        lines.push({ outcome: "read", text: "Without crossorigin: pixels readable" });
      } catch (error) {
        tainted = error.name === "SecurityError";
        lines.push({ outcome: "refused", text: `Without crossorigin: ${tainted ? "shown, but its pixels are not readable" : error.message} (${error.name})` });
      }
      try {
        const { canvas, colour } = draw(await loadImage(`${API}/picture.png?cors`, "anonymous"));
        card.querySelector(".show").replaceChildren(canvas);
        lines.push({ outcome: "read", text: `With crossorigin: pixels readable, the sun is ${colour}` });
        return { ok: tainted && colour === "rgb(255, 226, 158)", outcome: "read", lines };
      } catch (error) {
        card.querySelector(".show").replaceChildren();
        lines.push({ outcome: "refused", text: `With crossorigin: ${error.message}` });
        return { ok: false, outcome: "refused", lines };
      }
    },
  },
  {
    id: "credentials",
    title: "A request with a cookie",
    about: "Cookies go along only when the script asks for it, and the answer is readable only when it names the origin and says that credentials are fine.",
    sent: ["GET /login, credentials: include (sets a cookie)", "GET /account, credentials: include", "GET /account, credentials: omit"],
    expected: "Readable; the cookie goes along with include, and not with omit.",
    async run() {
      const login = await attempt(`${API}/login`, { credentials: "include" });
      const account = await attempt(`${API}/account`, { credentials: "include" });
      const anonymous = await attempt(`${API}/account`, { credentials: "omit" });
      const lines = [told(login, "Login")];
      const cookie = (result) => (result.read ? result.json().cookies.corsproc_demo : undefined);
      const seen = (result) => `; the upstream saw ${cookie(result) ? `corsproc_demo=${cookie(result)}` : "no cookie"}`;
      lines.push(told(account, "include", seen(account)), told(anonymous, "omit", seen(anonymous)));
      return { ok: cookie(account) === "signed-in" && anonymous.read && !cookie(anonymous), outcome: outcome(account), lines };
    },
  },
  {
    id: "error-answer",
    title: "An error that the page can read",
    about: "Nothing runs behind this path: Envoy itself answers 503. An allowed page can read that too, instead of a riddle about CORS.",
    sent: ["GET /down"],
    expected: "Status 503, readable.",
    async run() {
      const got = await attempt(`${API}/down`);
      const lines = [told(got, "GET")];
      if (got.read) lines.push(`Envoy says: “${got.text}”`);
      return { ok: got.read && got.status === 503, outcome: outcome(got), lines };
    },
  },
  {
    id: "refused-method",
    title: "A refused method",
    about: "The page may read the order and change it with PUT, but the policy does not list DELETE: the preflight's answer says so, and the browser sends no more.",
    sent: ["PUT /orders/7", "DELETE /orders/7"],
    expected: "PUT is readable, DELETE is never sent.",
    async run() {
      const put = await attempt(`${API}/orders/7`, { method: "PUT", body: "two teas" });
      const remove = await attempt(`${API}/orders/7`, { method: "DELETE" });
      return { ok: put.read && !remove.read, outcome: outcome(remove), lines: [told(put, "PUT"), told(remove, "DELETE")] };
    },
  },
  {
    id: "refused-origin",
    title: "A refused origin",
    about: `The same server under another name is another origin. A frame of ${OTHER} asks for what this page may read.`,
    sent: ["GET /hello", `Origin: ${OTHER}`],
    expected: "The upstream answers, and the browser keeps the answer from the frame.",
    async run(card) {
      const result = await new Promise((resolve) => {
        const frame = document.createElement("iframe");
        frame.title = `A page of ${OTHER}`;
        frame.hidden = true;
        const done = (value) => {
          clearTimeout(timer);
          removeEventListener("message", listen);
          frame.remove();
          resolve(value);
        };
        const listen = (event) => event.source === frame.contentWindow && event.origin === OTHER && done(event.data);
        const timer = setTimeout(() => done({ read: false, error: "the frame did not answer" }), 5000);
        addEventListener("message", listen);
        frame.src = `${OTHER}/other.html?${new URLSearchParams({ url: `${API}/hello`, to: OWN })}`;
        card.append(frame);
      });
      const lines = [told(result, "GET")];
      if (result.answered) lines.push("The same request without asking to see the answer goes through: CORS keeps pages from reading, not from sending");
      return { ok: !result.read && result.answered === true, outcome: outcome(result), lines };
    },
  },
  {
    id: "other-virtual-host",
    title: "A second virtual host",
    about: "One Envoy, another name, another policy: here anybody may read, and for just that reason nobody with cookies.",
    sent: [`GET ${FILES}/catalogue`, "the same with credentials: include"],
    expected: "Readable without credentials, refused with them.",
    async run() {
      const plain = await attempt(`${FILES}/catalogue`);
      const cookies = await attempt(`${FILES}/catalogue`, { credentials: "include" });
      const lines = [told(plain, "Without credentials"), told(cookies, "With credentials")];
      if (plain.read) lines.push(`The upstream was asked as ${plain.json().host}`);
      return { ok: plain.read && !cookies.read, outcome: outcome(plain), lines };
    },
  },
];
