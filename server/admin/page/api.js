// The admin API as a script calls it: Connect with JSON. Addresses are relative, so that the page works below a path of a
// proxy too.

const patience = 10_000; // milliseconds

// call makes a call. What it throws has a message for people.
export async function call(name, message) {
  const response = await post(`corsproc.v1.AdminService/${name}`, {
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(message),
  });
  const text = await response.text();
  let answer;
  try {
    answer = JSON.parse(text);
  } catch {
    throw new Error(text.trim() || `the answer has the status ${response.status}`);
  }
  if (!response.ok) throw new Error(answer.message || answer.code || `the answer has the status ${response.status}`);
  return answer;
}

// reload has the policy files looked at, and returns { ok, text }.
export async function reload() {
  const response = await post("-/reload", {});
  return { ok: response.ok, text: (await response.text()).trim() };
}

async function post(address, init) {
  try {
    return await fetch(address, { method: "POST", signal: AbortSignal.timeout(patience), ...init });
  } catch (error) {
    throw new Error(error.name === "TimeoutError" ? "no answer within 10 seconds" : "it cannot be reached");
  }
}
