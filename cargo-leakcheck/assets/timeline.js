"use strict";
/**
 * Live bytes over the time of a test: a drawing, the same in words, and a slider that tells each reading. `null` where there
 * is nothing to draw. The first argument has the page's own ways of making elements and words; `room` is how wide it may be.
 */
const drawTimeline = ({ el, svg, bytes, seconds, count }, test, room) => {
  const { ms, bytes: sizes, interval_ms: interval } = test.timeline;
  const isList = (list) => Array.isArray(list) && list.every((number) => Number.isFinite(number) && number >= 0);
  if (!isList(ms) || !isList(sizes) || ms.length !== sizes.length || ms.length < 2) return null;

  // What it comes to.
  const last = ms.length - 1;
  const peak = sizes.reduce((best, size, at) => (size > sizes[best] ? at : best), 0);
  const moment = (at) => seconds(ms[at] / 1000);
  const limits = [
    { limit: test.L, name: "limit", about: "The limit for what is left at the end is" },
    { limit: test.P, name: "peak limit", about: "The limit for the peak is" },
  ].filter(({ limit }) => limit);
  // A limit far above all that was live would press the line to the ground.
  const isNear = ({ limit }) => limit[0] <= 2.5 * Math.max(1, sizes[peak]);
  const high = 1.12 * Math.max(1, sizes[peak], ...limits.filter(isNear).map(({ limit }) => limit[0]));
  const long = Math.max(ms[last], 0.001);
  const words = [
    `From ${bytes(sizes[0])} to ${bytes(sizes[last])} after ${moment(last)}, with a peak of ${bytes(sizes[peak])} after ${moment(peak)}.`,
    ...limits.map(({ limit, about }) => `${about} ${bytes(limit[0])} (${limit[1]}).`),
    Number.isFinite(interval) ? `${count(ms.length, "reading")}, every ${interval} ms and at both ends; each has the most since the one before.` : "",
  ].filter(Boolean).join(" ");

  // Where it goes.
  const width = Math.round(Math.max(280, Math.min(room || 704, 704)));
  const [tall, left, right, above, below] = [230, 64, 12, 22, 40];
  const x = (time) => left + (time / long) * (width - left - right);
  const y = (size) => above + (1 - size / high) * (tall - above - below);
  const drawing = svg("svg", { class: "chart", viewBox: `0 0 ${width} ${tall}`, width, height: tall, role: "img",
    "aria-label": "Live bytes over time", "aria-describedby": "timeline-words" });
  const line = (name, x1, y1, x2, y2) => svg("line", { class: name, x1, y1, x2, y2 });
  const text = (name, at, height, anchor, words) => svg("text", { class: name, x: at, y: height, "text-anchor": anchor }, words);
  /** Round numbers from 0 up to a value, so many at the most. */
  const ticks = (value, most) => {
    const rough = value / most;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((part) => part * power).find((step) => step >= rough);
    return Array.from({ length: Math.floor(value / step) + 1 }, (_, at) => Number((at * step).toPrecision(12)));
  };

  const [unit, size] = high >= 1048576 ? ["MiB", 1048576] : high >= 1024 ? ["KiB", 1024] : ["B", 1];
  for (const tick of ticks(high / size, 4).filter((tick) => size > 1 || Number.isInteger(tick))) {
    const height = y(tick * size);
    drawing.append(line("axis", left, height, width - right, height), text("", left - 8, height + 4, "end", `${tick} ${tick ? unit : "B"}`));
  }
  const [clock, part] = long >= 1000 ? ["s", 1000] : long >= 1 ? ["ms", 1] : ["µs", 0.001];
  for (const tick of ticks(long / part, width < 420 ? 3 : 6)) {
    const at = x(tick * part);
    drawing.append(line("axis", at, tall - below, at, tall - below + 5), text("", at, tall - below + 18, "middle", `${tick}`));
  }
  drawing.append(text("", left + (width - left - right) / 2, tall - 6, "middle", `time in ${clock}`));

  const path = ms.map((time, at) => `${x(time).toFixed(1)},${y(sizes[at]).toFixed(1)}`);
  drawing.append(svg("polygon", { points: `${x(0)},${y(0)} ${path.join(" ")} ${x(ms[last])},${y(0)}` }), svg("polyline", { points: path.join(" ") }));
  /** On which side of a place a label has room. */
  const side = (at) => (at < left + 70 ? "start" : at > width - right - 70 ? "end" : "middle");
  // What came after the body, while the check waited for the rest to go.
  const body = test.d * 1000;
  if (body > 0 && ms[last] > 1.05 * body + 1) {
    drawing.append(line("body", x(body), above, x(body), tall - below), text("", x(body), above - 8, side(x(body)), "end of the body"));
  }
  for (const { limit, name } of limits.filter(isNear)) {
    const height = y(limit[0]);
    drawing.append(line("limit", left, height, width - right, height), text("limit", width - right, height - 5, "end", `${name} ${bytes(limit[0])}`));
  }
  drawing.append(svg("circle", { class: "peak", cx: x(ms[peak]), cy: y(sizes[peak]), r: 4 }),
    text("peak", x(ms[peak]), y(sizes[peak]) - 8, side(x(ms[peak])), `peak ${bytes(sizes[peak])}`));

  // One reading at a time.
  const cursor = svg("g", { class: "cursor" }, line("", 0, above, 0, tall - below), svg("circle", { r: 4 }));
  drawing.append(cursor);
  const told = el("output", { class: "told" });
  // Over the same width as the drawing, so in time; keys go from reading to reading.
  const slider = el("input", { type: "range", min: 0, max: long, step: "any", "aria-label": "Reading" });
  let here = peak;
  const tell = (at) => {
    here = at;
    slider.value = ms[at];
    const said = `${moment(at)}: ${bytes(sizes[at])}`;
    slider.setAttribute("aria-valuetext", said);
    told.textContent = said;
    cursor.setAttribute("transform", `translate(${x(ms[at])} 0)`);
    cursor.lastChild.setAttribute("cy", y(sizes[at]));
  };
  const nearest = (time) => ms.reduce((best, other, at) => (Math.abs(other - time) < Math.abs(ms[best] - time) ? at : best), 0);
  slider.addEventListener("input", () => tell(nearest(Number(slider.value))));
  slider.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    tell(Math.max(0, Math.min(last, here + by)));
  });
  drawing.addEventListener("pointermove", (event) => {
    const box = drawing.getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * width;
    tell(nearest(((at - left) / (width - left - right)) * long));
  });
  tell(peak);
  return el("figure", { class: "timeline" }, drawing, slider, told,
    el("figcaption", { id: "timeline-words", class: "faint" }, words));
};
