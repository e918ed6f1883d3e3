// Trials, answers, and what they add up to. Which side is which stays veiled until the end.
const data = JSON.parse(byId("data").textContent);
const answers = []; // "left" or "right"
const took = [];
const bytes = new Uint8Array(8);
crypto.getRandomValues(bytes);
const session = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
let began = 0, ready = false, finished = false;

function unveil() {
  const text = atob(data.key);
  return JSON.parse(Array.from(text, (c, n) => String.fromCharCode(c.charCodeAt(0) ^ data.study.charCodeAt(n % data.study.length))).join(""));
}

function show() {
  const trial = data.trials[answers.length];
  byId("progress").value = answers.length;
  byId("undo").disabled = !answers.length;
  byId("finish").disabled = !answers.length;
  if (!trial) return finish();
  byId("count").textContent = `${answers.length + 1} of ${data.trials.length}`;
  ready = false;
  const turn = answers.length;
  const videos = trial.map(videoOf);
  ["left", "right"].forEach((side, n) => {
    byId("screen-" + side).replaceChildren(videos[n]);
    byId(side).disabled = true;
  });
  const loaded = videos.map((video) => new Promise((resolve) => {
    video.addEventListener("canplaythrough", resolve, { once: true });
    video.addEventListener("error", () => {
      byId("count").textContent = "This browser cannot play the clips (H.264).";
    });
  }));
  Promise.all(loaded).then(() => {
    if (answers.length !== turn || finished) return;
    ready = true;
    began = performance.now();
    for (const side of ["left", "right"]) byId(side).disabled = false;
    run(videos);
  });
}

// Both start together, and start again together when both have ended.
function run(videos) {
  const again = () => {
    if (!videos.every((video) => video.isConnected)) return;
    if (!videos.every((video) => video.ended)) return;
    setTimeout(() => {
      for (const video of videos) {
        video.currentTime = 0;
        video.play().catch(() => {});
      }
    }, 350);
  };
  for (const video of videos) {
    video.addEventListener("ended", again);
    video.play().catch(() => {});
  }
}

function choose(side) {
  if (!ready || finished) return;
  took.push(Math.round(performance.now() - began) / 1000);
  answers.push(side);
  show();
}

function undo() {
  if (!answers.length || finished) return;
  answers.pop();
  took.pop();
  show();
}

function sheet() {
  const key = unveil();
  return {
    format: 1, kind: data.kind, study: data.study, session, question: data.question,
    labels: { a: key.labels[0], b: key.labels[1] },
    answers: answers.map((side, n) => {
      const trial = key.trials[n];
      const left = trial.left, right = left === "a" ? "b" : "a";
      return { first_frame: trial.start, last_frame: trial.stop - 1, left, chosen: side === "left" ? left : right, seconds: took[n] };
    }),
  };
}

// Exact binomial numbers, as scipy.stats.binomtest gives them; logarithms keep long series from overflowing.
function logChoose(n, k) {
  let sum = 0;
  for (let i = 1; i <= k; i++) sum += Math.log(n - k + i) - Math.log(i);
  return sum;
}
function mass(k, n, p) {
  if (p <= 0) return k === 0 ? 1 : 0;
  if (p >= 1) return k === n ? 1 : 0;
  return Math.exp(logChoose(n, k) + k * Math.log(p) + (n - k) * Math.log(1 - p));
}
function atMost(k, n, p) {
  let sum = 0;
  for (let i = 0; i <= k; i++) sum += mass(i, n, p);
  return Math.min(1, sum);
}
function bisect(test) {
  let low = 0, high = 1;
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (test(middle)) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
function binomial(k, n) {
  const p = Math.min(1, 2 * atMost(Math.min(k, n - k), n, 0.5)); // symmetric at a half
  const low = k === 0 ? 0 : bisect((share) => 1 - atMost(k - 1, n, share) < 0.025);
  const high = k === n ? 1 : bisect((share) => atMost(k, n, share) > 0.025);
  return { p, low, high };
}

function finish() {
  finished = true;
  const result = sheet();
  const n = result.answers.length;
  const a = result.answers.filter((answer) => answer.chosen === "a").length;
  const { p, low, high } = binomial(a, n);
  const percent = (share) => `${Math.round(100 * share)} %`;
  const { labels } = result;
  const winner = 2 * a > n ? labels.a : labels.b;
  byId("headline").textContent = 2 * a === n ? `A draw: ${labels.a} and ${labels.b}, ${a} each`
    : p < 0.05 ? `You prefer ${winner}` : `No clear preference; ${winner} is ahead`;
  byId("label-a").textContent = labels.a;
  byId("label-b").textContent = labels.b;
  byId("count-a").textContent = `${a} of ${n}`;
  byId("count-b").textContent = `${n - a} of ${n}`;
  byId("bar-a").setAttribute("width", String((100 * a) / n));
  byId("bar-interval").setAttribute("x1", String(100 * low));
  byId("bar-interval").setAttribute("x2", String(100 * high));
  byId("statistics").textContent = `${labels.a}: ${percent(a / n)}, 95 % interval ${percent(low)} to ${percent(high)} (Clopper–Pearson); ` +
    `two-sided binomial test against chance: p = ${p.toFixed(p < 0.001 ? 5 : 3)}.`;
  Object.assign(byId("statistics").dataset, { p, low, high });
  byId("text").value = JSON.stringify(result, null, 1);
  byId("ask").hidden = true;
  byId("ask").querySelectorAll("video").forEach((video) => video.remove());
  byId("done").hidden = false;
  byId("headline").focus();
}

function save() {
  const blob = new Blob([byId("text").value], { type: "application/json" });
  const link = make("a", { href: URL.createObjectURL(blob), download: `answers-${data.study}-${session}.json` });
  link.click();
  byId("said").textContent = "Saved. Send the file to whoever asked you.";
}

async function copy() {
  try {
    await navigator.clipboard.writeText(byId("text").value);
    byId("said").textContent = "Copied.";
  } catch {
    byId("text").closest("details").open = true;
    byId("text").select();
    byId("said").textContent = "The browser does not let this page copy: press Ctrl+C.";
  }
}

byId("left").addEventListener("click", () => choose("left"));
byId("right").addEventListener("click", () => choose("right"));
byId("undo").addEventListener("click", undo);
byId("finish").addEventListener("click", finish);
byId("save").addEventListener("click", save);
byId("copy").addEventListener("click", copy);
document.addEventListener("keydown", (event) => {
  if (event.key === "ArrowLeft") choose("left");
  else if (event.key === "ArrowRight") choose("right");
  else return;
  event.preventDefault();
});
show();
