"use strict";

const find = (id) => document.getElementById(id);

// hits returns the counter, after adding one to it if the method is POST.
async function hits(method) {
  const response = await fetch("/counter/hits", { method });
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  return (await response.json()).count;
}

async function sendTwenty() {
  const button = find("parallel"), dots = find("dots"), verdict = find("verdict");
  button.disabled = true;
  dots.hidden = false;
  dots.replaceChildren(...Array.from({ length: 20 }, () => document.createElement("span")));
  verdict.textContent = "Sending …";
  try {
    const before = await hits("GET");
    await Promise.all(Array.from(dots.children, async (dot) => {
      await hits("POST");
      dot.className = "done";
    }));
    const after = await hits("GET");
    find("count").textContent = after;
    verdict.textContent = `20 sent, ${after - before} counted, ${20 - (after - before)} lost.`;
  } catch (error) {
    verdict.textContent = `Something went wrong: ${error.message}.`;
  }
  button.disabled = false;
}

function watch() {
  const button = find("watch"), progress = find("progress");
  const source = new EventSource("/live/events");
  button.disabled = true;
  progress.hidden = false;
  source.onmessage = (event) => {
    const tick = JSON.parse(event.data);
    find("clock").textContent = tick.time;
    progress.max = tick.of;
    progress.value = tick.n;
  };
  const stop = () => {
    source.close(); // it would connect again
    button.disabled = false;
  };
  source.addEventListener("end", (event) => {
    find("watched").textContent = JSON.parse(event.data).watched;
    stop();
  });
  source.onerror = stop;
}

// showLeft says how long the session lasts. The server does not count the request as a use of it.
async function showLeft() {
  const response = await fetch("/session/left");
  if (!response.ok) return;
  const { seconds, ended } = await response.json();
  find("left").textContent = ended || `in ${Math.round(seconds / 60)} minutes, unless you go on`;
}

if (find("left")) setInterval(() => showLeft().catch(() => {}), 10_000);

for (const [id, action] of [["parallel", sendTwenty], ["watch", watch]]) {
  const button = find(id);
  if (!button) continue;
  button.hidden = false;
  button.addEventListener("click", action);
}
