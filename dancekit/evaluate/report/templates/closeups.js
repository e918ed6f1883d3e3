// Parts of the frame, cut out of the videos that are shown, and five consecutive frames side by side.
// The box in the middle of a square, a little larger, in the video's own pixels.
function cutOut(size, pen, video, [left, top, width, height], side) {
  const by = video.videoWidth / size[0];
  const span = Math.min(Math.max(width, height) * 1.15, Math.min(...size));
  const x = Math.max(0, Math.min(size[0] - span, left + width / 2 - span / 2));
  const y = Math.max(0, Math.min(size[1] - span, top + height / 2 - span / 2));
  pen.drawImage(video, x * by, y * by, span * by, span * by, 0, 0, side, side);
}

function makeCloseups(data, player, place, views) {
  let cuts = [];

  function rebuild() {
    const seen = views().filter((view) => view.kind !== "source" && player.video(view.key));
    const result = seen.find((view) => view.kind === "result");
    const truth = seen.find((view) => view.kind === "truth");
    cuts = [];
    place.replaceChildren(...Object.entries(data.regions).map(([title, boxes]) => {
      const row = make("div", { className: "cuts" });
      const add = (label, keys, difference) => {
        const canvas = make("canvas", { width: 192, height: 192, className: difference ? "difference" : "" });
        canvas.setAttribute("role", "img");
        canvas.setAttribute("aria-label", `${title}: ${label}`);
        row.append(make("figure", {}, canvas, make("figcaption", { textContent: label })));
        cuts.push({ canvas, keys, boxes });
      };
      for (const view of seen) add(view.title, [view.key], false);
      if (result && truth) add("Difference", [result.key, truth.key], true);
      return make("div", { className: "card" }, make("h3", { textContent: title }), row);
    }));
    paint();
  }

  function paint() {
    for (const { canvas, keys, boxes } of cuts) {
      const pen = canvas.getContext("2d");
      const box = boxes[player.frame];
      pen.globalCompositeOperation = "source-over";
      pen.clearRect(0, 0, canvas.width, canvas.height);
      if (!box) continue;
      keys.forEach((key, turn) => {
        const video = player.video(key);
        if (!video || video.readyState < 2) return;
        pen.globalCompositeOperation = turn ? "difference" : "source-over";
        cutOut(data.size, pen, video, box, canvas.width);
      });
    }
  }

  let waiting = false;
  const soon = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; paint(); });
  };
  player.on("drawn", soon);
  player.on("frame", soon);
  return { rebuild };
}

function makeFive(data, player, table, views) {
  const spare = new Map(); // videos of its own: those on the page stay where they are
  let turn = 0, timer = null, shown = "";

  const jump = (video, time) => new Promise((resolve) => {
    if (video.error) return resolve(false);
    const done = (good) => () => resolve(good);
    video.addEventListener("seeked", done(true), { once: true });
    video.addEventListener("error", done(false), { once: true });
    video.currentTime = time;
  });

  async function fill() {
    const mine = ++turn;
    const seen = views().filter((view) => view.kind !== "source" && view.frames);
    const start = Math.max(0, Math.min(player.frame, data.frames - 5));
    const count = Math.min(5, data.frames);
    const part = byId("five-part").value;
    // one place for all five: what moves in it is the picture, not the window
    const box = part ? data.regions[part].slice(start, start + 5).find((one) => one) || null : null;
    const wanted = `${start}:${part}:${seen.map((view) => view.key).join()}`;
    if (wanted === shown) return;
    shown = wanted;
    byId("five-from").textContent = String(start);
    const head = make("tr", {}, make("td", {}));
    for (let i = 0; i < count; i++) head.append(make("th", { scope: "col", textContent: String(start + i) }));
    const rows = seen.map((view) => {
      const canvases = Array.from({ length: count }, (_, i) => {
        const canvas = make("canvas", { width: 2, height: 2 });
        canvas.setAttribute("role", "img");
        canvas.setAttribute("aria-label", `${view.title}, frame ${start + i}`);
        return canvas;
      });
      const row = make("tr", {}, make("th", { scope: "row", textContent: view.title }));
      row.append(...canvases.map((canvas) => make("td", {}, canvas)));
      return { view, row, canvases };
    });
    table.replaceChildren(make("thead", {}, head), make("tbody", {}, ...rows.map(({ row }) => row)));
    for (const { view, canvases } of rows) {
      if (!spare.has(view.key)) spare.set(view.key, videoOf(view.key));
      const video = spare.get(view.key);
      for (let i = 0; i < count; i++) {
        const drawn = await jump(video, player.timeOf(Math.min(start + i, view.frames - 1)));
        if (mine !== turn) return;
        if (!drawn) continue;
        const high = box ? 240 : Math.min(360, video.videoHeight);
        canvases[i].height = high;
        canvases[i].width = box ? high : Math.round((high * video.videoWidth) / video.videoHeight);
        const pen = canvases[i].getContext("2d");
        if (box) cutOut(data.size, pen, video, box, high);
        else pen.drawImage(video, 0, 0, canvases[i].width, high);
        canvases[i].dataset.frame = String(start + i);
      }
    }
  }

  function later() {
    clearTimeout(timer);
    if (!player.playing) timer = setTimeout(fill, 250);
  }
  player.on("frame", later);
  player.on("state", later);
  return { rebuild: later };
}
