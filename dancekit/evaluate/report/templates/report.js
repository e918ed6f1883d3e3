// The page: views, controls, selectors, worst frames; everything follows the player.
const data = JSON.parse(byId("data").textContent);
const player = makePlayer(data);
const chosen = new Set();
const figures = new Map();
const chart = makeChart(data, player, byId("chart"));
const views = () => data.views.filter((view) => chosen.has(view.key));
const closeups = makeCloseups(data, player, byId("closeups"), views);
const five = makeFive(data, player, byId("five"), views);
let curve = null;

const text = (value) => (value === null || value === undefined ? "–" : value.toFixed(curve.digits).replace("-", "−"));
const measured = (value) => text(value) + (value === null || !curve.unit ? "" : " " + curve.unit);
const valueAt = (view, frame) => (curve && view.index !== null && curve.values[view.index] ? curve.values[view.index][frame] : undefined);

function toggle(view, on) {
  if (on) chosen.add(view.key);
  else chosen.delete(view.key);
  if (view.frames) {
    if (on) show(view);
    else {
      player.remove(view.key);
      figures.get(view.key)?.remove();
      figures.delete(view.key);
    }
    layout();
  }
}

const narrow = window.matchMedia("(max-width: 640px)");

function layout() {
  const count = Math.max(1, figures.size);
  const columns = count <= 3 ? count : narrow.matches ? 2 : count === 4 || count > 6 ? 4 : 3;
  byId("screens").style.setProperty("--columns", String(columns));
}

function show(view) {
  const video = player.add(view.key, view.frames);
  video.setAttribute("aria-label", view.title);
  video.dataset.key = view.key;
  const figure = make("figure", {}, video,
    make("figcaption", {}, make("span", { textContent: view.title }), make("span", { className: "reading" })));
  video.addEventListener("error", () => {
    figure.append(make("p", { className: "broken", textContent: "This browser cannot play the video (H.264)." }));
  });
  video.addEventListener("click", () => player.toggle());
  figures.set(view.key, figure);
  // in the order of the list, whenever it was chosen
  const order = data.views.filter((other) => figures.has(other.key)).map((other) => figures.get(other.key));
  const next = order[order.indexOf(figure) + 1];
  byId("screens").insertBefore(figure, next || null);
  player.setSound(byId("sound").checked ? "source" : null);
}

function refresh() {
  chart.show(curve, views());
  closeups.rebuild();
  five.rebuild();
  legend();
  read(player.frame);
}

function legend() {
  byId("legend").replaceChildren(...(curve ? views() : []).filter((view) => valueAt(view, 0) !== undefined).map((view) =>
    make("li", { className: `c${view.index % 10}` }, make("span", { className: "spot" }), view.title,
      make("b", { id: "reading-" + view.key }))));
}

function read(frame) {
  const seconds = (frame * data.rate[1]) / data.rate[0];
  byId("clock").replaceChildren("frame ", make("b", { textContent: String(frame) }),
    make("small", { textContent: ` of ${data.frames - 1} · ${seconds.toFixed(2)} s` }));
  byId("scrub").value = String(frame);
  document.querySelectorAll(".now").forEach((element) => { element.textContent = String(frame); });
  for (const view of views()) {
    const value = valueAt(view, frame);
    const reading = byId("reading-" + view.key);
    if (reading) reading.textContent = measured(value);
    const label = figures.get(view.key)?.querySelector(".reading");
    if (label) label.textContent = value === undefined ? "" : measured(value);
  }
  const runs = data.warnings.filter((run) => run.first <= frame && frame <= run.last);
  const warning = byId("frame-warning");
  if (warning) warning.textContent = runs.map((run) => run.text).join("; ");
  document.querySelectorAll("#worst button").forEach((button) => {
    button.setAttribute("aria-current", String(Number(button.dataset.frame) === frame));
  });
}

function worst() {
  const result = data.views.find((view) => view.kind === "result");
  byId("worst-section").hidden = !curve || !curve.worst.length;
  if (!curve || !result) return;
  byId("worst-by").textContent = `${curve.title}, ${curve.region}`;
  byId("worst").replaceChildren(...curve.worst.map((frame) => {
    const button = make("button", { type: "button" });
    button.dataset.frame = String(frame);
    const picture = data.thumbnails[frame];
    if (picture) button.append(make("img", { src: picture, alt: "" }));
    button.append(make("span", {}, make("span", { textContent: `Frame ${frame}` }),
      make("strong", { textContent: measured(valueAt(result, frame)) })));
    return make("li", {}, button);
  }));
}

function selectors() {
  const metric = byId("metric"), region = byId("region");
  for (const name of new Set(data.series.map((series) => series.metric))) {
    const series = data.series.find((one) => one.metric === name);
    metric.append(make("option", { value: name, textContent: series.title }));
  }
  const regions = () => {
    const old = region.value;
    const all = data.series.filter((series) => series.metric === metric.value).map((series) => series.region);
    region.replaceChildren(...all.map((name) => make("option", { value: name, textContent: name })));
    if (all.includes(old)) region.value = old;
    change();
  };
  const change = () => {
    curve = data.series.find((series) => series.metric === metric.value && series.region === region.value) || null;
    worst();
    refresh();
  };
  metric.addEventListener("change", regions);
  region.addEventListener("change", change);
  regions();
  byId("chart").hidden = !data.series.length;
  metric.closest(".picks").hidden = !data.series.length;
}

function controls() {
  const click = (id, action) => byId(id).addEventListener("click", action);
  click("play", () => player.toggle());
  click("first", () => player.seek(0));
  click("back", () => player.step(-1));
  click("forward", () => player.step(1));
  byId("scrub").addEventListener("input", (event) => player.seek(Number(event.target.value)));
  byId("speed").addEventListener("change", (event) => player.setSpeed(Number(event.target.value)));
  byId("loop").addEventListener("change", (event) => {
    const length = Math.round((2 * data.rate[0]) / data.rate[1]);
    const from = Math.min(player.frame, Math.max(0, data.frames - length));
    const ranges = { off: null, all: [0, data.frames - 1], here: [from, Math.min(data.frames - 1, from + length - 1)] };
    player.setLoop(ranges[event.target.value]);
  });
  byId("sound-pick").hidden = !data.views.some((view) => view.key === "source" && view.sound);
  byId("sound").addEventListener("change", (event) => player.setSound(event.target.checked ? "source" : null));
  byId("contact")?.addEventListener("click", (event) => player.seek(chart.frameOf(event)));
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-frame]");
    if (!button || button.tagName !== "BUTTON") return;
    player.pause();
    player.seek(Number(button.dataset.frame));
    if (!button.closest("#worst")) byId("player").scrollIntoView({ block: "start" });
  });
  document.addEventListener("keydown", keys);
}

function keys(event) {
  const tag = event.target.tagName;
  if (event.ctrlKey || event.metaKey || event.altKey || tag === "SELECT" || event.target.type === "text") return;
  const by = event.shiftKey ? 10 : 1;
  const actions = {
    ArrowLeft: () => player.step(-by), ArrowRight: () => player.step(by),
    Home: () => player.seek(0), End: () => player.seek(data.frames - 1),
    " ": () => player.toggle(),
  };
  // the space bar presses a button that has the focus; that is its job there
  const pressed = event.key === " " && ["BUTTON", "SUMMARY"].includes(tag);
  const ticked = event.key === " " && event.target.type === "checkbox";
  const scrolled = event.target.classList.contains("scroll") && event.key.startsWith("Arrow");
  if (!actions[event.key] || pressed || ticked || scrolled) return;
  event.preventDefault();
  actions[event.key]();
}

function start() {
  const result = data.views.find((view) => view.kind === "result");
  for (const view of data.views) {
    const shownAtFirst = ["truth", "result"].includes(view.kind) || (view.kind === "source" && !narrow.matches) || (!view.frames && view.kind === "baseline");
    const box = make("input", { type: "checkbox", checked: shownAtFirst });
    box.dataset.view = view.key;
    const name = view.title + (view.frames ? "" : " (curve only)");
    const label = make("label", { className: view.index === null ? "" : `c${view.index % 10}` }, box,
      view.index === null ? null : make("span", { className: "spot" }), name);
    byId("views").append(label);
    box.addEventListener("change", () => { toggle(view, box.checked); refresh(); });
    if (shownAtFirst) toggle(view, true);
  }
  byId("close-section").hidden = !Object.keys(data.regions).length || !data.views.some((view) => view.frames);
  byId("five-section").hidden = !data.views.some((view) => view.frames && view.kind !== "source");
  for (const title of Object.keys(data.regions)) byId("five-part").append(make("option", { value: title, textContent: title }));
  byId("five-part").addEventListener("change", () => five.rebuild());
  narrow.addEventListener("change", layout);
  controls();
  player.on("frame", read);
  player.on("state", (_, playing) => {
    byId("play").classList.toggle("playing", playing);
    byId("play").setAttribute("aria-label", playing ? "Pause" : "Play");
  });
  selectors();
  if (result && curve && curve.worst.length) player.seek(curve.worst[0]);
  else player.seek(0);
}
start();
