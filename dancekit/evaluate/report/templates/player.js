// One clock for all videos. Frame n is shown from n / rate to (n + 1) / rate: seeking goes to the middle of that,
// so that neither rounding in the file nor in the browser can show a neighbour.
function makePlayer(data) {
  const [numerator, denominator] = data.rate;
  const last = data.frames - 1;
  const videos = new Map(); // key -> { video, frames }
  const listeners = { frame: [], state: [], drawn: [] };
  let frame = 0, playing = false, starting = 0, speed = 1, loop = [0, last], sounding = null;

  const timeOf = (n) => ((n + 0.5) * denominator) / numerator;
  const frameAt = (time) => Math.min(last, Math.max(0, Math.floor((time * numerator) / denominator + 1e-6)));
  const emit = (name) => listeners[name].forEach((listener) => listener(frame, playing));

  // A seek on top of a running one is dropped by some browsers: the last wish is sent when that is done, and each
  // wish once, for a browser that lands elsewhere would seek for ever. `aim` is null while a video runs by itself.
  function aim(entry) {
    entry.aim = timeOf(Math.min(frame, entry.frames - 1));
    reach(entry);
  }

  function reach(entry) {
    if (entry.aim === null || entry.video.seeking || entry.sent === entry.aim) return;
    entry.sent = entry.aim;
    if (Math.abs(entry.video.currentTime - entry.aim) > 1e-4) entry.video.currentTime = entry.aim;
  }

  function add(key, frames) {
    const entry = { video: videoOf(key), frames, aim: null, sent: null };
    videos.set(key, entry);
    entry.video.addEventListener("loadeddata", () => {
      entry.sent = null; // what was asked for before there was anything to seek in
      aim(entry);
      emit("drawn");
    });
    entry.video.addEventListener("seeked", () => {
      reach(entry);
      emit("drawn");
    });
    if (playing) pause();
    return entry.video;
  }

  function remove(key) {
    const entry = videos.get(key);
    videos.delete(key);
    if (entry) entry.video.pause();
  }

  function show(n) {
    frame = Math.min(last, Math.max(0, Math.round(n)));
    for (const entry of videos.values()) aim(entry);
    emit("frame");
  }

  function seek(n) {
    const resume = playing;
    pause(n);
    if (resume) play();
  }

  function step(by) {
    pause(frame + by);
  }

  // Stops, on the frame that is asked for, or on the one that was shown last.
  function pause(at = frame) {
    starting++;
    const stopped = playing;
    playing = false;
    for (const { video } of videos.values()) video.pause();
    show(at);
    if (stopped) emit("state");
  }

  // A video that stands on its last frame has no future data, and needs none.
  const ready = (entry) => new Promise((resolve) => {
    const { video } = entry;
    const look = () => {
      const enough = frame < entry.frames - 1 ? 3 : 2;
      reach(entry);
      if (video.error || (!video.seeking && video.readyState >= enough)) return resolve();
      setTimeout(look, 15);
    };
    look();
  });

  async function play() {
    if (!videos.size || playing) return;
    if (frame >= loop[1]) show(loop[0]);
    const mine = ++starting;
    playing = true;
    emit("state");
    await Promise.all([...videos.values()].map(ready));
    if (mine !== starting) return;
    for (const entry of videos.values()) {
      entry.video.playbackRate = speed;
      if (frame < entry.frames - 1) {
        entry.aim = entry.sent = null;
        entry.video.play().catch(() => {});
      }
    }
    requestAnimationFrame(() => tick(mine));
  }

  const leader = () => {
    const all = [...videos.values()].filter((entry) => !entry.video.error);
    return all.reduce((best, entry) => (!best || entry.frames > best.frames ? entry : best), null);
  };

  function tick(mine) {
    if (mine !== starting || !playing) return;
    const first = leader();
    if (!first) return pause();
    const now = frameAt(first.video.currentTime);
    if (now !== frame) {
      frame = now;
      emit("frame");
      emit("drawn");
    }
    if (frame > loop[1] || first.video.ended || (frame === loop[1] && loop[1] === last && first.video.paused)) {
      return finish();
    }
    for (const entry of videos.values()) if (entry !== first) follow(entry, first.video.currentTime);
    requestAnimationFrame(() => tick(mine));
  }

  // Small differences are made up by playing a little faster or slower, large ones by a jump.
  function follow(entry, time) {
    const { video } = entry;
    if (video.seeking || video.ended || time >= timeOf(entry.frames - 1)) return;
    const ahead = video.currentTime - time;
    if (Math.abs(ahead) > 0.25) video.currentTime = time;
    else video.playbackRate = speed * (1 - Math.max(-0.2, Math.min(0.2, 2 * ahead)));
    if (video.paused && entry.aim === null) video.play().catch(() => {});
  }

  function finish() {
    const again = api.looping;
    pause(again ? loop[0] : loop[1]);
    if (again) play();
  }

  const api = {
    looping: true, add, remove, seek, step, play, pause, timeOf,
    toggle: () => (playing ? pause() : play()),
    on: (name, listener) => listeners[name].push(listener),
    get frame() { return frame; },
    get playing() { return playing; },
    video: (key) => (videos.has(key) ? videos.get(key).video : null),
    setSpeed(value) {
      speed = value;
      for (const { video } of videos.values()) video.playbackRate = value;
    },
    setLoop(range) {
      api.looping = range !== null;
      loop = range || [0, last];
      if (range && (frame < loop[0] || frame > loop[1])) seek(loop[0]);
    },
    setSound(key) {
      sounding = key;
      for (const [name, { video }] of videos) video.muted = name !== sounding;
    },
  };
  return api;
}
