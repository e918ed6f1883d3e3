// Per-frame curves in SVG, drawn in real pixels so that text stays text at every width.
const SVG = "http://www.w3.org/2000/svg";
const LEFT = 44, RIGHT = 8, TOP = 8, BOTTOM = 22;

function draw(tag, attributes, text) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

function niceTicks(low, high, count) {
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const size = [1, 2, 5, 10].find((step) => step * power >= raw) * power;
  const ticks = [];
  for (let i = Math.ceil(low / size); i * size <= high + size * 1e-9; i++) ticks.push(i * size);
  return { ticks, digits: Math.max(0, -Math.floor(Math.log10(size) + 1e-9)) };
}

function makeChart(data, player, place) {
  let curve = null, shown = [], x = () => 0, y = () => 0, width = 0, height = 0;
  let now = null, dots = null, ghost = null;

  const frameOf = (event) => {
    const part = (event.clientX - place.getBoundingClientRect().left - LEFT) / Math.max(1, width - LEFT - RIGHT);
    return Math.max(0, Math.min(data.frames - 1, Math.round(part * data.frames - 0.5)));
  };

  function render() {
    width = place.clientWidth;
    height = place.clientHeight;
    if (!curve || !width) return;
    const visible = shown.filter((view) => view.index !== null && curve.values[view.index]);
    const numbers = visible.flatMap((view) => curve.values[view.index].filter((value) => value !== null));
    let low = numbers.reduce((a, b) => Math.min(a, b), Infinity);
    let high = numbers.reduce((a, b) => Math.max(a, b), -Infinity);
    if (!(low <= high)) [low, high] = [0, 1];
    const room = (high - low) * 0.07 || Math.abs(high) * 0.07 || 1;
    low -= room;
    high += room;
    x = (n) => LEFT + ((n + 0.5) / data.frames) * (width - LEFT - RIGHT);
    y = (value) => TOP + ((high - value) / (high - low)) * (height - TOP - BOTTOM);
    const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "img",
      "aria-label": `${curve.title}, ${curve.region}, by frame. Use the frame slider to move.` });
    grid(svg, low, high);
    for (const run of data.warnings) {
      const from = x(run.first - 0.5), to = x(run.last + 0.5);
      const band = { x: from, width: Math.max(2, to - from) };
      svg.append(draw("rect", { ...band, y: TOP, height: height - TOP - BOTTOM, class: "warned-band" }));
      const mark = draw("rect", { ...band, y: height - BOTTOM, height: 5, rx: 2, class: "warned" });
      mark.append(draw("title", {}, `${run.first}–${run.last}: ${run.text}`));
      svg.append(mark);
    }
    for (const view of [...visible].reverse()) {
      svg.append(draw("path", { d: path(curve.values[view.index]), class: `curve c${view.index % 10} ${view.kind}` }));
    }
    marks(svg, visible);
    ghost = svg.appendChild(draw("line", { y1: TOP, y2: height - BOTTOM, class: "ghost", visibility: "hidden" }));
    now = svg.appendChild(draw("line", { y1: TOP, y2: height - BOTTOM, class: "now-line" }));
    dots = visible.map((view) => [view, svg.appendChild(draw("circle", { r: 4.5, class: `now-dot c${view.index % 10}` }))]);
    place.replaceChildren(svg);
    follow(player.frame);
  }

  function grid(svg, low, high) {
    const rows = niceTicks(low, high, 4);
    for (const tick of rows.ticks) {
      svg.append(draw("line", { x1: LEFT, x2: width - RIGHT, y1: y(tick), y2: y(tick), class: "grid" }));
      svg.append(draw("text", { x: LEFT - 7, y: y(tick) + 4, "text-anchor": "end" }, tick.toFixed(rows.digits)));
    }
    const columns = niceTicks(0, Math.max(1, data.frames - 1), Math.max(2, Math.min(10, width / 110)));
    for (const tick of columns.ticks.filter(Number.isInteger)) {
      const anchor = x(tick) > width - 30 ? "end" : "middle";
      svg.append(draw("text", { x: x(tick), y: height - 5, "text-anchor": anchor }, String(tick)));
    }
  }

  function marks(svg, visible) {
    const result = visible.find((view) => view.kind === "result");
    if (!result) return;
    for (const frame of curve.worst) {
      svg.append(draw("circle", { cx: x(frame), cy: y(curve.values[result.index][frame]), r: 4, class: "bad-mark" }));
    }
  }

  // More than two frames a pixel: the smallest and the largest of each column, so that no dip is lost.
  function path(values) {
    const parts = [];
    let open = false;
    const group = Math.max(1, Math.floor(values.length / (2 * Math.max(1, width))));
    for (let start = 0; start < values.length; start += group) {
      const here = values.slice(start, start + group).filter((value) => value !== null);
      if (!here.length) { open = false; continue; }
      const at = x(start + (group - 1) / 2).toFixed(1);
      const ends = group > 1 ? [Math.min(...here), Math.max(...here)] : here;
      for (const value of ends) {
        parts.push(`${open ? "L" : "M"}${at} ${y(value).toFixed(1)}`);
        open = true;
      }
      if (start + group >= values.length || values[start + group] === null) parts.push("h0.01"); // a lone point is seen
    }
    return parts.join("");
  }

  function follow(frame) {
    if (!now) return;
    now.setAttribute("x1", x(frame));
    now.setAttribute("x2", x(frame));
    for (const [view, dot] of dots) {
      const value = curve.values[view.index][frame];
      dot.setAttribute("visibility", value === null ? "hidden" : "visible");
      if (value !== null) { dot.setAttribute("cx", x(frame)); dot.setAttribute("cy", y(value)); }
    }
  }

  let held = false;
  place.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    held = true;
    player.seek(frameOf(event));
    place.setPointerCapture(event.pointerId);
  });
  place.addEventListener("pointermove", (event) => {
    if (held) player.seek(frameOf(event));
    else if (ghost) {
      const at = x(frameOf(event));
      ghost.setAttribute("x1", at);
      ghost.setAttribute("x2", at);
      ghost.setAttribute("visibility", "visible");
    }
  });
  for (const name of ["pointerup", "pointercancel"]) place.addEventListener(name, () => { held = false; });
  place.addEventListener("pointerleave", () => { if (ghost) ghost.setAttribute("visibility", "hidden"); });
  new ResizeObserver(render).observe(place);
  player.on("frame", follow);
  return {
    show(series, views) { curve = series; shown = views; render(); },
    frameOf,
  };
}
