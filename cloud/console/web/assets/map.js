// Moves and scales the map of scenes: by mouse, touch, wheel, buttons and keys. The map itself is an
// SVG that came with the page; only its viewBox changes.

const box = document.querySelector("[data-map]");
const svg = box?.querySelector("svg");

if (svg) {
  const world = 4096;
  const least = world / 2 ** 16; // wide
  let view = svg.viewBox.baseVal;
  view = { x: view.x, y: view.y, w: view.width, h: view.height };
  const pointers = new Map();
  let moved = 0;

  const draw = () => {
    svg.setAttribute("viewBox", `${view.x} ${view.y} ${view.w} ${view.h}`);
  };

  // zoom by a factor about a point that stays where it is, given in 0 … 1 of the map.
  const zoom = (factor, u = 0.5, v = 0.5) => {
    const w = Math.min(Math.max(view.w * factor, least), world);
    const h = (view.h * w) / view.w;
    view = { x: view.x + (view.w - w) * u, y: view.y + (view.h - h) * v, w, h };
    draw();
  };

  const pan = (dx, dy) => {
    view.x = Math.min(Math.max(view.x + dx * view.w, -view.w / 2), world - view.w / 2);
    view.y = Math.min(Math.max(view.y + dy * view.h, -view.h / 2), world - view.h / 2);
    draw();
  };

  const place = (event) => {
    const r = svg.getBoundingClientRect();
    return { u: (event.clientX - r.left) / r.width, v: (event.clientY - r.top) / r.height };
  };

  svg.addEventListener("wheel", (event) => {
    event.preventDefault();
    const { u, v } = place(event);
    zoom(event.deltaY > 0 ? 1.25 : 0.8, u, v);
  }, { passive: false });

  svg.addEventListener("pointerdown", (event) => {
    pointers.set(event.pointerId, place(event));
    if (pointers.size === 1) moved = 0;
  });
  svg.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const now = place(event);
    if (pointers.size === 2) {
      const other = [...pointers].find(([id]) => id !== event.pointerId)[1];
      const was = Math.hypot(before.u - other.u, before.v - other.v);
      const is = Math.hypot(now.u - other.u, now.v - other.v);
      if (is > 0.01) zoom(was / is, (now.u + other.u) / 2, (now.v + other.v) / 2);
    } else {
      pan(before.u - now.u, before.v - now.v);
    }
    moved += Math.hypot(before.u - now.u, before.v - now.v);
    pointers.set(event.pointerId, now);
  });
  for (const name of ["pointerup", "pointercancel", "pointerleave"]) {
    svg.addEventListener(name, (event) => pointers.delete(event.pointerId));
  }
  // A drag that ends on a scene is no click on it.
  svg.addEventListener("click", (event) => {
    if (moved > 0.02) event.preventDefault();
  }, true);

  svg.tabIndex = 0;
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-0.15, 0], ArrowRight: [0.15, 0], ArrowUp: [0, -0.15], ArrowDown: [0, 0.15] }[event.key];
    if (step) pan(...step);
    else if (event.key === "+" || event.key === "=") zoom(0.7);
    else if (event.key === "-") zoom(1.4);
    else return;
    event.preventDefault();
  });

  const buttons = box.querySelector(".map-buttons");
  buttons.hidden = false;
  buttons.addEventListener("click", (event) => {
    const what = event.target.dataset.zoom;
    if (what === "in") zoom(0.6);
    if (what === "out") zoom(1.6);
    if (what === "world") {
      view = { x: 0, y: world * 0.12, w: world, h: world / 1.5 };
      draw();
    }
  });
}
