// Videos lie in the page as base64 text; a blob of them is made when one is first shown.
const byId = (id) => document.getElementById(id);
const addresses = new Map();

function addressOf(key) {
  if (!addresses.has(key)) {
    const element = byId("video-" + key);
    const text = atob(element.textContent);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    addresses.set(key, URL.createObjectURL(new Blob([bytes], { type: "video/mp4" })));
    element.remove();
  }
  return addresses.get(key);
}

// make("li", { className: "x" }, "text", child): text always goes in as text, never as HTML.
function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.filter((child) => child !== null));
  return element;
}

function videoOf(key) {
  return make("video", { src: addressOf(key), muted: true, playsInline: true, preload: "auto" });
}
