// Runs in a frame of another origin than the page: sends one request and tells the page what came of it.
"use strict";

const { url, to } = Object.fromEntries(new URLSearchParams(location.search));

async function attempt() {
  try {
    const response = await fetch(url);
    return { read: true, status: response.status };
  } catch (error) {
    // The same request, of which a script asks to see nothing: it works, so it was not the network.
    const answered = await fetch(url, { mode: "no-cors" }).then(() => true, () => false);
    return { read: false, answered, error: String(error) };
  }
}

attempt().then((result) => parent.postMessage({ ...result, origin: location.origin }, to));
