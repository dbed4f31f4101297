"use strict";
// Draws the page from the data above. Names come from the tests and are only ever set as text.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);

  /** An element with text or children. Strings become text, never markup. */
  const el = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (value === true) element.setAttribute(name, "");
      else if (value !== false && value != null) element.setAttribute(name, value);
    }
    element.append(...children.filter((child) => child != null));
    return element;
  };
  const svg = (tag, attributes = {}, ...children) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };

  // Figures as people read them.
  const grouped = (number) => number.toLocaleString("en-US");
  const bytes = (size) => {
    if (size == null) return "–";
    const sign = size < 0 ? "−" : "";
    const of = Math.abs(size);
    if (of < 1024) return `${sign}${grouped(of)} B`;
    // As in reports: three significant digits, rounded before the unit is chosen.
    let value = of;
    for (const unit of ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]) {
      value /= 1024;
      for (const [digits, most] of [[2, 10], [1, 100], [0, 1024]]) {
        const rounded = Number(value.toFixed(digits));
        if (rounded < most) {
          const text = digits ? rounded.toFixed(digits) : grouped(rounded);
          return `${sign}${text} ${unit}`;
        }
      }
    }
    return `${sign}${grouped(of)} B`;
  };
  const seconds = (time) => {
    if (time == null) return "–";
    if (Math.round(time * 1e6) < 1000) return `${Math.round(time * 1e6)} µs`;
    if (Math.round(time * 1e3) < 1000) return `${Math.round(time * 1e3)} ms`;
    if (Math.round(time * 100) < 12000) return `${time.toFixed(2)} s`;
    const whole = Math.round(time);
    if (whole < 7200) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
    const minutes = Math.round(time / 60);
    return `${grouped(Math.floor(minutes / 60))} h ${minutes % 60} min`;
  };
  const count = (number, what) => `${grouped(number)} ${what}${number === 1 ? "" : "s"}`;

  // The model.
  const STATUS = data.statuses.map(([word, tone]) => ({ word, tone }));
  const CLASS = ["user", "dependency", "std", "harness", "system"];
  const frameOf = (index) => {
    const [name, file, line, kind] = data.frames[index];
    return { name, file, line, kind: CLASS[kind] || "system" };
  };
  /** Frames of a stack, the allocation first. */
  const stackOf = (node) => {
    const frames = [];
    while (node > 0) {
      frames.push(data.stacks[2 * node - 1]);
      const caller = data.stacks[2 * node - 2];
      if (caller >= node) break;
      node = caller;
    }
    return frames;
  };
  const leafOf = (node) => {
    const frames = stackOf(node);
    const of = (kind) => frames.find((frame) => data.frames[frame][3] === kind);
    return of(0) ?? of(1) ?? frames[0];
  };
  const place = (frame) => (frame.file ? frame.file + (frame.line ? `:${frame.line}` : "") : "");
  const tests = data.tests.map((test, index) => ({
    ...test, index,
    target: data.targets[test.t],
    id: `${data.targets[test.t]}::${test.n}`,
    status: STATUS[test.s],
    haystack: null,
  }));
  /** What a search looks through: the test's name, and functions and files of its largest call sites. */
  const haystack = (test) => {
    if (test.haystack == null) {
      const words = [test.id];
      const sites = test.S || [];
      for (let at = 0; at < sites.length && at < 80; at += 4) {
        const leaf = leafOf(sites[at + 2]);
        if (leaf !== undefined) {
          const frame = frameOf(leaf);
          words.push(frame.name, place(frame));
        }
      }
      test.haystack = words.join("\n").toLowerCase();
    }
    return test.haystack;
  };

  // The theme: the system's, until somebody says otherwise.
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let theme = null;
  try { theme = localStorage.getItem("leakcheck-theme"); } catch { /* a page from disk may have no storage */ }
  const paint = () => {
    const now = theme || (dark.matches ? "dark" : "light");
    document.documentElement.dataset.theme = now;
    const other = now === "dark" ? "Light" : "Dark";
    byId("theme").textContent = other;
    byId("theme").setAttribute("aria-label", `${other} colors`);
  };
  byId("theme").addEventListener("click", () => {
    theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    try { localStorage.setItem("leakcheck-theme", theme); } catch { /* as above */ }
    paint();
  });
  dark.addEventListener("change", paint);
  paint();

  // The head of the page.
  const meta = data.meta;
  byId("about").append([
    new Date(meta.started * 1000).toISOString().slice(0, 16).replace("T", " ") + " UTC",
    meta.runner,
    meta.commit ? `commit ${meta.commit.slice(0, 10)}${meta.dirty ? " with changes" : ""}` : null,
    meta.commit_subject || null,
  ].filter(Boolean).join(" · "));
  for (const problem of data.problems) {
    byId("problems").append(el("p", { class: "problem" }, `Incomplete: ${problem}`));
  }
  for (const fixed of data.fixed) {
    byId("problems").append(el("p", {}, `Fixed: ${fixed}. Remove it from the baseline.`));
  }

  // The table of tests. Only the rows in view are in the page, so that thousands cost nothing.
  const COLUMNS = [
    { key: "name", title: "Test", class: "", of: (test) => test.id, text: true },
    { key: "verdict", title: "Verdict", class: "c-verdict", of: (test) => test.s, text: true },
    { key: "growth", title: "Net growth", class: "number c-figure", of: (test) => test.g },
    { key: "limit", title: "Limit", class: "number c-figure c-limit", of: (test) => test.L && test.L[0] },
    { key: "peak", title: "Peak", class: "number c-figure c-peak", of: (test) => test.F && test.F[4] },
    { key: "churn", title: "Churn", class: "number c-figure c-churn", of: (test) => test.F && test.F[5] },
    { key: "time", title: "Time", class: "number c-time", of: (test) => test.d },
  ];
  const view = { sort: "verdict", down: false, hidden: new Set(), search: "" };
  let shown = [];
  const filters = byId("filters");
  STATUS.forEach(({ word }, status) => {
    const number = tests.filter((test) => test.s === status).length;
    if (!number) return;
    const button = el("button", { type: "button", "aria-pressed": "true", "data-verdict": word },
      `${word} ${grouped(number)}`);
    button.addEventListener("click", () => {
      const hide = !view.hidden.has(status);
      if (hide) view.hidden.add(status); else view.hidden.delete(status);
      button.setAttribute("aria-pressed", String(!hide));
      list();
    });
    filters.append(button);
  });
  const heads = COLUMNS.map((column) => {
    const button = el("button", { type: "button", "data-sort": column.key }, column.title);
    const head = el("th", { scope: "col", class: column.class }, button);
    button.addEventListener("click", () => {
      if (view.sort === column.key) view.down = !view.down;
      else { view.sort = column.key; view.down = !column.text; }
      list();
    });
    byId("heads").append(head);
    return head;
  });
  const rowOf = (test, at) => {
    const cells = [
      el("td", { title: test.id }, el("a", { href: `#/test/${test.index}` }, tests.length && data.targets.length > 1 ? test.id : test.n)),
      el("td", { class: "c-verdict" }, el("span", { class: `verdict ${test.status.tone}` }, test.status.word)),
      ...COLUMNS.slice(2, 6).map((column) => el("td", { class: column.class }, bytes(column.of(test)))),
      el("td", { class: "number c-time" }, seconds(test.d)),
    ];
    return el("tr", { class: "test", "aria-rowindex": at + 2 }, ...cells);
  };
  const body = byId("rows");
  const table = byId("tests");
  let height = 36;
  let drawn = "";
  const draw = () => {
    if (byId("overview").hidden) return;
    const top = body.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor(-top / height) - 20);
    const last = Math.min(shown.length, first + Math.ceil(innerHeight / height) + 40);
    const state = `${first}-${last}`;
    if (state === drawn) return;
    drawn = state;
    const space = (rows) => {
      const cell = el("td", { colspan: COLUMNS.length });
      cell.style.height = `${rows * height}px`;
      return el("tr", { class: "space", "aria-hidden": "true" }, cell);
    };
    // A row that has the focus keeps it.
    const focus = document.activeElement?.closest?.("tr.test")?.getAttribute("aria-rowindex");
    const rows = [];
    for (let at = first; at < last; at++) rows.push(rowOf(shown[at], at));
    body.replaceChildren(space(first), ...rows, space(shown.length - last));
    if (focus) body.querySelector(`tr[aria-rowindex="${focus}"] a`)?.focus({ preventScroll: true });
    const measured = rows[0]?.offsetHeight;
    if (measured && Math.abs(measured - height) > 0.5) {
      height = measured;
      drawn = "";
      draw();
    }
  };
  const list = () => {
    const words = view.search.toLowerCase().split(/\s+/).filter(Boolean);
    shown = tests.filter((test) => !view.hidden.has(test.s) && words.every((word) => haystack(test).includes(word)));
    const column = COLUMNS.find((column) => column.key === view.sort);
    const sign = view.down ? -1 : 1;
    const growth = (test) => test.g ?? -Infinity;
    shown.sort((a, b) => {
      const [x, y] = [column.of(a), column.of(b)];
      if (x == null || y == null) { if (x != null || y != null) return x == null ? 1 : -1; }
      else if (x !== y) return (x < y ? -1 : 1) * sign;
      return growth(b) - growth(a) || a.index - b.index;
    });
    heads.forEach((head, at) => {
      const sorted = COLUMNS[at].key === view.sort;
      head.setAttribute("aria-sort", sorted ? (view.down ? "descending" : "ascending") : "none");
      const mark = sorted ? (view.down ? " ▼" : " ▲") : "";
      head.firstChild.textContent = COLUMNS[at].title + mark;
    });
    table.setAttribute("aria-rowcount", shown.length + 1);
    byId("count").textContent = shown.length === tests.length
      ? count(tests.length, "test")
      : `${grouped(shown.length)} of ${count(tests.length, "test")}`;
    drawn = "";
    draw();
  };
  byId("search").addEventListener("input", (event) => {
    view.search = event.target.value;
    list();
  });
  addEventListener("scroll", draw, { passive: true });
  addEventListener("resize", () => { drawn = ""; draw(); });
  addEventListener("keydown", (event) => {
    if (event.key === "/" && !/^(INPUT|TEXTAREA)$/.test(document.activeElement.tagName) && !byId("overview").hidden) {
      event.preventDefault();
      byId("search").focus();
    }
    if (event.key === "Escape" && !byId("detail").hidden) location.hash = "";
  });

  // The page of one test.
  const sitesOf = (test) => {
    const sites = [];
    for (let at = 0; at < (test.S || []).length; at += 4) {
      sites.push({ bytes: test.S[at], blocks: test.S[at + 1], stack: test.S[at + 2], known: test.S[at + 3] === 1, at: at / 4 });
    }
    return sites;
  };
  const icicle = (test, sites) => {
    const told = el("p", { class: "told", role: "status" }, "Select a function to zoom in. Widths show retained bytes.");
    const box = el("div", { class: "icicle", role: "group", "aria-label": "Retained bytes by call stack, the test first" });
    const withStd = el("input", { type: "checkbox", id: "with-std" });
    let zoomed = null;
    const build = () => {
      const root = { name: test.n, kind: "root", bytes: 0, blocks: 0, below: new Map(), parent: null };
      for (const site of sites) {
        let node = root;
        node.bytes += site.bytes;
        node.blocks += site.blocks;
        const frames = stackOf(site.stack).reverse().filter((frame) => withStd.checked || data.frames[frame][3] < 2);
        for (const index of frames) {
          const key = data.frames[index][0] + "\n" + place(frameOf(index));
          let next = node.below.get(key);
          if (!next) {
            const frame = frameOf(index);
            next = { name: frame.name, place: place(frame), kind: frame.kind, bytes: 0, blocks: 0, below: new Map(), parent: node };
            node.below.set(key, next);
          }
          node = next;
          node.bytes += site.bytes;
          node.blocks += site.blocks;
        }
      }
      return root;
    };
    let root = build();
    const share = (node) => (root.bytes ? ((node.bytes / root.bytes) * 100).toFixed(1) : "0.0") + " %";
    const tell = (node) => {
      told.textContent = `${node.name}${node.place ? `  ${node.place}` : ""}: ${bytes(node.bytes)} in ${count(node.blocks, "block")}, ${share(node)}`;
    };
    const paint = (focus) => {
      const top = zoomed || root;
      const rows = [];
      let depth = 0;
      const put = (node, left, width, level, dimmed) => {
        if (width < 0.25) return;
        depth = Math.max(depth, level);
        const button = el("button", { type: "button", class: node.kind, title: `${node.name}\n${node.place || ""}\n${bytes(node.bytes)}, ${share(node)}`, "data-level": level },
          width > 2 ? node.name : "");
        if (width <= 2) button.setAttribute("aria-label", node.name);
        button.style.left = `${left}%`;
        button.style.width = `${width}%`;
        button.style.top = `${level * 1.6}rem`;
        if (dimmed) button.style.opacity = "0.6";
        button.addEventListener("mouseenter", () => tell(node));
        button.addEventListener("focus", () => tell(node));
        button.addEventListener("click", () => {
          zoomed = zoomed === node ? node.parent : node;
          paint(node);
        });
        button.leakNode = node;
        rows.push(button);
        if (dimmed) return;
        let at = left;
        const below = [...node.below.values()].sort((a, b) => b.bytes - a.bytes);
        for (const next of below) {
          const part = node.bytes ? (next.bytes / node.bytes) * width : 0;
          put(next, at, part, level + 1, false);
          at += part;
        }
      };
      const above = [];
      for (let node = top.parent; node; node = node.parent) above.unshift(node);
      above.forEach((node, level) => put(node, 0, 100, level, true));
      put(top, 0, 100, above.length, false);
      box.replaceChildren(...rows);
      box.style.height = `${(depth + 1) * 1.6}rem`;
      if (focus) rows.find((button) => button.leakNode === focus)?.focus({ preventScroll: true });
    };
    box.addEventListener("keydown", (event) => {
      const here = document.activeElement?.leakNode;
      if (!here) return;
      const siblings = here.parent ? [...here.parent.below.values()].sort((a, b) => b.bytes - a.bytes) : [here];
      const at = siblings.indexOf(here);
      const down = [...here.below.values()].sort((a, b) => b.bytes - a.bytes)[0];
      const to = { ArrowUp: here.parent, ArrowDown: down, ArrowLeft: siblings[at - 1], ArrowRight: siblings[at + 1] }[event.key];
      if (to) {
        event.preventDefault();
        [...box.children].find((button) => button.leakNode === to)?.focus({ preventScroll: true });
      }
    });
    withStd.addEventListener("change", () => { zoomed = null; root = build(); paint(); });
    paint();
    return el("div", {},
      el("div", { class: "bar" },
        el("label", {}, withStd, " with the standard library"),
        el("button", { type: "button", onclick: () => { zoomed = null; paint(); } }, "Whole test")),
      box, told);
  };
  const sourceOf = (file, line) => {
    const part = data.sources[`${file}:${line}`];
    if (!part) return null;
    const pre = el("pre", { class: "source", tabindex: "0", "aria-label": `${file}, around line ${line}` });
    part[1].forEach((text, at) => {
      const number = part[0] + at;
      pre.append(el("span", number === line ? { class: "here" } : {}, el("i", {}, String(number).padStart(5) + "  "), text + "\n"));
    });
    return pre;
  };
  const stackList = (stack, omitted) => {
    const items = [];
    let sources = 0;
    for (const index of stackOf(stack)) {
      const frame = frameOf(index);
      const item = el("li", { class: frame.kind }, el("span", { class: "frame" }, frame.name), " ", el("span", { class: "faint frame" }, place(frame)));
      const source = sources < 3 && frame.kind === "user" ? sourceOf(frame.file, frame.line) : null;
      if (source) { item.append(source); sources++; }
      items.push(item);
    }
    const list = el("ol", { class: "stack" }, ...items);
    return omitted ? el("div", {}, list, el("p", { class: "faint" }, `${count(omitted, "frame")} of a deep recursion omitted`)) : list;
  };
  const raw = (value) => (typeof value === "string" ? el("span", {}, value) : el("pre", { class: "raw", tabindex: "0" }, JSON.stringify(value, null, 2)));
  const isFrames = (value) => Array.isArray(value) && value.length > 0 && value.every((part) => part && typeof part === "object" && "class" in part);
  const frameList = (frames) => el("ol", { class: "stack" }, ...frames.map((part) => el("li", { class: CLASS.includes(part.class) ? part.class : "system" },
    el("span", { class: "frame" }, String(part.function || part.module || "unknown")), " ", el("span", { class: "faint frame" }, place(part)))));
  /** A section that this page does not know: a line for each entry, with its call stack. */
  const section = (value) => {
    const isThings = Array.isArray(value) && value.every((thing) => thing && typeof thing === "object" && Object.values(thing).some(isFrames));
    if (!isThings) return [raw(value)];
    return value.map((thing) => {
      const plain = Object.entries(thing).filter(([, part]) => part != null && typeof part !== "object");
      const stacks = Object.values(thing).filter(isFrames);
      const own = stacks.flat().find((part) => part.class === "user");
      return el("details", {}, el("summary", {}, plain.map(([name, part]) => `${name} ${part}`).join(", "),
        own ? el("span", { class: "faint frame" }, `  ${own.function || ""} ${place(own)}`) : null), ...stacks.map(frameList));
    });
  };
  /** What repetition found. */
  const repetition = ({ warmup = 0, batches = [], iterations, sensitivity }) => {
    const calls = batches.length ? batches.reduce((sum, batch) => sum + batch, 0) : iterations ?? 0;
    const seen = sensitivity && Number.isFinite(sensitivity.bytes_per_call) ? sensitivity : null;
    return [el("p", {}, `${count(warmup, "warm-up call")}, then ${count(calls, "call")}`,
      batches.length > 1 ? ` in batches of ${batches.map(grouped).join(", ")}` : "", ".",
      seen ? ` Would have seen a leak of ${bytes(Math.round(seen.bytes_per_call))} per call${seen.every > 1 ? `, even if only once every ${grouped(seen.every)} calls` : ""}.` : "")];
  };
  /** The sections with a title and a rendering of their own. */
  const SECTIONS = {
    repetition: ["Repetition", repetition],
    decide: ["Leak or warm-up?", (command) => [el("p", {}, "Run ", el("code", {}, command), " to find out.")]],
    fds: ["File descriptors left open", section],
    children: ["Child processes not waited for", section],
    c_heap: ["C heap", section],
    holders_unknown: ["What keeps it alive", (why) => [el("p", {}, `Not known: ${why}.`)]],
    unjudged: ["Not judged", (list) => [el("ul", {}, ...list.map((it) => el("li", {}, `${String(it.figure).replaceAll("_", " ")}: ${it.why}`)))]],
  };
  const sectionOf = (name, value) => {
    const [title, content] = Object.hasOwn(SECTIONS, name) ? SECTIONS[name] : [name.replaceAll("_", " "), section];
    try {
      return [el("h3", {}, title), ...content(value)];
    } catch {
      // Another version wrote it in another form.
      return [el("h3", {}, title), ...section(value)];
    }
  };
  /** What keeps a call site's blocks alive: the reference path from a root, or that there is none. */
  const HELD = { lost: "lost:", lost_in_a_cycle: "lost:", indirectly_lost: "lost:", possibly_held: "possibly kept alive by" };
  const holderOf = (holder) => `${Object.hasOwn(HELD, holder.class) ? HELD[holder.class] : "kept alive by"} ${holder.path || "something unknown"}`;
  const holderList = (holders) => el("ul", { class: "holders" }, ...holders.map((holder) => el("li", {},
    el("span", { class: "frame" }, holderOf(holder)),
    Number.isFinite(holder.bytes) ? ` (${bytes(holder.bytes)} in ${count(holder.blocks ?? 0, "block")}${
      holder.retained_bytes > holder.bytes ? `; retains ${bytes(holder.retained_bytes)}` : ""})` : "")));
  /** What a repeated body showed of a call site. */
  const growthOf = (growth) => {
    const words = [
      growth.class && String(growth.class).replaceAll("_", " "),
      growth.severity && `severity ${growth.severity}`,
      Number.isFinite(growth.bytes_per_call) && `${bytes(Math.round(growth.bytes_per_call))} per call`,
    ].filter(Boolean).join(", ");
    return [
      el("p", {}, "Growth by batch", words ? `: ${words}` : ""),
      series(growth) || raw(growth),
      growth.advice ? el("p", {}, String(growth.advice)) : null,
    ].filter(Boolean);
  };
  const siteList = (test, sites) => {
    const total = sites.reduce((sum, site) => sum + site.bytes, 0);
    const rows = sites.map((site) => {
      const leaf = leafOf(site.stack);
      const frame = leaf === undefined ? { name: "call stack not captured" } : frameOf(leaf);
      const growth = test.G && test.G[site.at];
      const holders = test.H && test.H[site.at];
      const perCall = growth && growth.severity && Number.isFinite(growth.bytes_per_call);
      const tags = [site.known ? "known" : null, perCall ? `${bytes(Math.round(growth.bytes_per_call))} per call` : null]
        .filter(Boolean).join(", ");
      const details = el("details", { class: "site" },
        el("summary", {},
          el("span", { class: "number" }, bytes(site.bytes)),
          el("span", { class: "number" }, total ? `${((site.bytes / total) * 100).toFixed(1)} %` : ""),
          el("span", { class: "number" }, count(site.blocks, "block")),
          el("span", { class: "what" }, el("code", {}, frame.name), " ", el("span", { class: "faint frame" }, place(frame)),
            holders ? el("span", { class: "faint" }, el("br"), holderOf(holders[0])) : null),
          el("span", { class: "tag" }, tags)));
      details.addEventListener("toggle", () => {
        if (!details.open || details.children.length > 1) return;
        details.append(stackList(site.stack, test.M && test.M[site.at]));
        if (growth) details.append(...growthOf(growth));
        if (holders) details.append(el("p", {}, "What keeps it alive"), holderList(holders));
      });
      return details;
    });
    if (rows.length) rows[0].open = true;
    return rows;
  };
  /** A line chart of points with labels. */
  const chart = (points, label, unit = bytes) => {
    const [width, tall, left, bottom] = [640, 160, 76, 22];
    const values = points.map((point) => point.y);
    const [low, high] = [Math.min(0, ...values), Math.max(1, ...values)];
    const xs = points.map((point) => point.x);
    const [from, to] = [Math.min(...xs), Math.max(...xs)];
    const x = (value) => left + (to === from ? 0.5 : (value - from) / (to - from)) * (width - left - 12);
    const y = (value) => 10 + (1 - (value - low) / (high - low)) * (tall - bottom - 10);
    const drawing = svg("svg", { class: "chart", viewBox: `0 0 ${width} ${tall}`, role: "img", "aria-label": label });
    for (const value of [low, (low + high) / 2, high]) {
      drawing.append(svg("line", { class: "axis", x1: left, x2: width, y1: y(value), y2: y(value) }),
        svg("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, unit(Math.round(value))));
    }
    drawing.append(svg("polyline", { points: points.map((point) => `${x(point.x).toFixed(1)},${y(point.y).toFixed(1)}`).join(" ") }));
    if (points.length <= 120) {
      for (const point of points) {
        drawing.append(svg("circle", { cx: x(point.x), cy: y(point.y), r: 3 }, svg("title", {}, point.title || unit(point.y))));
      }
    }
    const ends = [points[0], points[points.length - 1]];
    ends.forEach((point, at) => drawing.append(svg("text", { x: at ? width - 12 : left, y: tall - 4, "text-anchor": at ? "end" : "start" }, point.label || "")));
    return drawing;
  };
  /** A chart of whatever series of numbers there is. */
  const series = (value, label = "growth by batch") => {
    const list = Array.isArray(value) ? value : value && (value.series || value.bytes || value.batches || value.points || value.samples);
    if (!Array.isArray(list) || list.length < 2) return null;
    const points = list.map((item, at) => {
      if (typeof item === "number") return { x: at, y: item };
      if (Array.isArray(item)) return { x: item[0], y: item[1] };
      return { x: at, y: item.bytes ?? item.retained?.bytes ?? item.live_bytes ?? NaN };
    });
    return points.every((point) => Number.isFinite(point.x) && Number.isFinite(point.y)) ? chart(points, label) : null;
  };
  const trends = (test) => {
    const runs = data.history.filter((run) => run.tests[test.id]);
    if (runs.length < 2) return [];
    const points = (at) => runs.map((run, x) => ({
      x, y: run.tests[test.id][at] ?? 0, label: run.commit ? run.commit.slice(0, 8) : run.date,
      title: `${bytes(run.tests[test.id][at] ?? 0)} · ${run.commit ? run.commit.slice(0, 10) : ""} ${run.subject || ""} · ${run.date}`,
    }));
    return [el("h3", {}, `Over the last ${count(runs.length, "run")}`),
      ...["Net growth", "Peak", "Churn"].map((title, at) => el("figure", {}, el("figcaption", {}, title), chart(points(at), `${title} over runs`)))];
  };
  const simple = (heads, rows) => el("table", { class: "plain" },
    el("thead", {}, el("tr", {}, ...heads.map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, ...rows.map((row) => el("tr", {}, ...row.map((cell) => el("td", {}, cell))))));
  const detail = byId("detail");
  const open = (test) => {
    const sites = sitesOf(test);
    const figure = (name, value) => el("div", {}, el("dt", {}, name), el("dd", {}, value));
    const amount = (size, blocks) => `${bytes(size)} in ${count(blocks, "block")}`;
    const F = test.F;
    const parts = [
      el("p", {}, el("a", { href: "#" }, "← All tests")),
      el("h2", { tabindex: "-1" }, test.n),
      el("p", { class: "lead" }, el("span", { class: `verdict ${test.status.tone}` }, test.status.word),
        test.y ? `: ${test.y}` : "", " · ", test.target, test.f ? ` · ${test.f}${test.l ? `:${test.l}` : ""}` : ""),
      ...(test.x || []).map((line) => el("p", { class: "lead" }, line)),
      ...(test.r || []).map((line) => el("p", { class: "problem" }, line)),
    ];
    if (F) {
      parts.push(el("dl", { class: "figures" },
        figure("Net growth", bytes(test.g)),
        test.L ? figure("Limit", `${bytes(test.L[0])} (${test.L[1]})`) : null,
        figure("Retained", amount(F[0], F[1])),
        figure("Released", amount(F[2], F[3])),
        figure("Peak", bytes(F[4])),
        figure("Churn", amount(F[5], F[6])),
        figure("Unattributed", bytes(F[7])),
        test.e && test.e[0] ? figure("Open descriptors", String(test.e[0])) : null,
        test.e && test.e[1] ? figure("Children", String(test.e[1])) : null,
        test.e && test.e[2] ? figure("C heap", bytes(test.e[2])) : null,
        figure("Time", seconds(test.d)),
        figure("Kind, scope", `${test.k}, ${test.o}`)));
    }
    const timeline = test.timeline && drawTimeline({ el, svg, bytes, seconds, count }, test, detail.clientWidth);
    if (timeline) parts.push(el("h3", {}, "Live bytes over time"), timeline);
    else if (test.timeline_unknown) parts.push(el("h3", {}, "Live bytes over time"), el("p", {}, `Not recorded: ${test.timeline_unknown}`));
    if (sites.length) {
      parts.push(el("h3", {}, "Retained by call stack"), icicle(test, sites), el("h3", {}, "Call sites"),
        el("div", { class: "sites-head" }, ...["Retained", "Share", "Blocks", "Allocated by"].map((head) => el("span", {}, head))),
        ...siteList(test, sites));
      if (test.O) parts.push(el("p", { class: "faint" }, `${bytes(test.O[1])} in ${count(test.O[0], "more call site")}`));
    } else if (F) {
      parts.push(el("p", {}, "Nothing is retained at any call site."));
    }
    if (test.T) {
      parts.push(el("h3", {}, "Threads still running"),
        ...test.T.map(([name, stack]) => el("details", {}, el("summary", {}, name), stackList(stack))));
    }
    if (test.a) parts.push(el("h3", {}, "Allowed"), simple(["Why", "Retained"], test.a.map(([why, size, blocks]) => [why, amount(size, blocks)])));
    if (test.u) parts.push(el("h3", {}, "Suppressed"), simple(["Rule", "Why", "Retained"], test.u.map(([rule, why, size, blocks]) => [el("code", {}, rule), why, amount(size, blocks)])));
    for (const [name, value] of Object.entries(test.more || {})) parts.push(...sectionOf(name, value));
    parts.push(...trends(test));
    detail.replaceChildren(...parts);
  };
  let scrolled = 0;
  const route = () => {
    const match = /^#\/test\/(\d+)$/.exec(location.hash);
    const test = match && tests[Number(match[1])];
    const was = detail.hidden;
    if (test) {
      if (was) scrolled = scrollY;
      byId("overview").hidden = true;
      detail.hidden = false;
      open(test);
      document.title = `${test.n} – leakcheck`;
      scrollTo(0, 0);
      detail.querySelector("h2").focus({ preventScroll: true });
    } else {
      detail.hidden = true;
      detail.replaceChildren();
      byId("overview").hidden = false;
      document.title = "leakcheck report";
      drawn = "";
      draw();
      if (!was) scrollTo(0, scrolled);
      draw();
    }
  };
  addEventListener("hashchange", route);
  list();
  route();
})();
