/* Output-size calculator of lab 02: the arithmetic of a convolution, in the browser.

   Purpose: a reader without Python changes input size, kernel size, stride, padding and dilation, and sees the
   output size, the formula with the numbers filled in, and which pixels one output pixel is made from.
   Mounts on every <div class="size-calculator">; data-size, data-kernel, data-stride, data-padding and
   data-dilation set where it starts. The text inside the div is for readers without JavaScript.
   The same arithmetic and the same sentences as conv_out in labkit/arithmetic/sizes.py: tests/test_calculator.py compares them.
   Not here: pooling, several channels, inputs that are not square. No library and no network. */
(() => {
  "use strict";

  // `slide` is where the slider ends; the number beside it may go on to `max`.
  const FIELDS = [
    { key: "size", name: "Input size", letter: "W", min: 1, slide: 64, max: 224, start: 7 },
    { key: "kernel", name: "Kernel size", letter: "K", min: 1, slide: 11, max: 11, start: 3 },
    { key: "stride", name: "Stride", letter: "S", min: 1, slide: 8, max: 8, start: 1 },
    { key: "padding", name: "Padding", letter: "P", min: 0, slide: 8, max: 8, start: 0 },
    { key: "dilation", name: "Dilation", letter: "D", min: 1, slide: 6, max: 6, start: 1 },
  ];
  const FORMULA = "Output = floor((W + 2P − D(K − 1) − 1) / S) + 1";
  const LARGEST_DRAWING = 24; // pixels along one side, padding included
  const DRAWING_WIDTH = 620; // pixels of the screen for both grids together
  let mounted = 0;

  // ---- arithmetic: no page in sight ----

  function convOut(size, kernel, stride = 1, padding = 0, dilation = 1) {
    const settings = [["size", size, 1], ["kernel_size", kernel, 1], ["stride", stride, 1],
      ["padding", padding, 0], ["dilation", dilation, 1]];
    for (const [name, value, least] of settings) {
      if (!Number.isInteger(value) || value < least) {
        throw new RangeError(`${name} must be a whole number of at least ${least}, got ${value}.`);
      }
    }
    const reach = dilation * (kernel - 1) + 1;
    const room = size + 2 * padding;
    if (reach > room) {
      throw new RangeError(`A kernel that reaches over ${reach} pixels does not fit into ${room} (size ${size}, ` +
        `padding ${padding}). Use a larger input, more padding or a smaller kernel.`);
    }
    return Math.floor((room - reach) / stride) + 1;
  }

  // Everything the page shows about one setting. `reads[i]`: the padded positions that output pixel i is made from.
  function describe(v) {
    const out = convOut(v.size, v.kernel, v.stride, v.padding, v.dilation);
    const reach = v.dilation * (v.kernel - 1) + 1;
    const room = v.size + 2 * v.padding;
    const reads = range(out).map((i) => range(v.kernel).map((k) => i * v.stride + k * v.dilation));
    const seen = new Set(reads.flat());
    const remainder = (room - reach) % v.stride;
    return { ...v, out, reach, room, reads, seen, remainder, skipped: room - seen.size - remainder };
  }

  const range = (n) => Array.from({ length: n }, (_, i) => i);
  const pixels = (n) => (n === 1 ? "1 pixel" : `${n} pixels`);

  // ---- words ----

  function formulaSteps(s) {
    const taken = s.dilation * (s.kernel - 1);
    const top = s.room - s.reach;
    return [
      `floor((${s.size} + 2 × ${s.padding} − ${s.dilation} × (${s.kernel} − 1) − 1) / ${s.stride}) + 1`,
      `floor((${s.size} + ${2 * s.padding} − ${taken} − 1) / ${s.stride}) + 1`,
      `floor(${top} / ${s.stride}) + 1`,
      `${s.out - 1} + 1`,
      `${s.out}`,
    ].map((step) => `= ${step}`);
  }

  function keepsSize(reach) {
    if (reach % 2 === 0) {
      return `No padding keeps the size at stride 1: the kernel reaches over ${pixels(reach)}, an even number, ` +
        "and would need more padding on one side than on the other.";
    }
    return `At stride 1, padding ${(reach - 1) / 2} keeps the size: the kernel reaches over ${pixels(reach)}.`;
  }

  function leftOver(s) {
    if (s.remainder === 0) return "The last window ends exactly at the right edge: nothing is left over.";
    const lost = Math.max(0, s.remainder - s.padding);
    const whose = s.padding === 0 ? "" : lost === 0 ? ": padding only" : `: ${lost} of the input, the rest padding`;
    return `Past the last window, ${pixels(s.remainder)} at the right edge ` +
      `(and as many at the bottom) ${s.remainder === 1 ? "is" : "are"} read by no window${whose}.`;
  }

  function facts(s) {
    const list = [keepsSize(s.reach), leftOver(s)];
    const columns = s.skipped === 1 ? "1 column" : `${s.skipped} columns`;
    if (s.skipped > 0) list.push(`Unread between the pixels of the windows: ${columns} and as many rows.`);
    return list;
  }

  function inputLabel(s, row, column) {
    const place = (at) => at.map((p) => p - s.padding + 1)
      .map((p) => (p < 1 || p > s.size ? "padding" : p)).join(", ");
    return `Input of ${s.size} by ${pixels(s.size)} with padding ${s.padding} on each side. The output pixel in row ` +
      `${row + 1}, column ${column + 1} reads rows ${place(s.reads[row])} and columns ${place(s.reads[column])}.`;
  }

  // ---- drawing ----

  function svg(tag, attributes, children = []) {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  }

  const square = (name, x, y, side) => svg("rect", { class: `sc-${name}`, x, y, width: side, height: side });

  function gridLines(n, cell) {
    const lines = range(n + 1).map((i) => `M${i * cell} 0V${n * cell}M0 ${i * cell}H${n * cell}`);
    return svg("path", { class: "sc-lines", d: lines.join("") });
  }

  // A marked pixel: fill, thick outline and a dot, so that it is seen without colour as well.
  function mark(name, row, column, cell) {
    const dot = { class: "sc-dot", cx: (column + 0.5) * cell, cy: (row + 0.5) * cell, r: cell / 7 };
    return svg("g", { class: `sc-${name}`, "data-row": row, "data-column": column },
      [square("fill", column * cell, row * cell, cell), svg("circle", dot)]);
  }

  function hatching(id) {
    return svg("pattern", { id, width: 5, height: 5, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
      [svg("path", { class: "sc-hatch", d: "M0 0V5" })]);
  }

  function crosses(s, cell) {
    const all = range(s.room);
    const unread = all.flatMap((y) => all.filter((x) => !s.seen.has(x) || !s.seen.has(y)).map((x) => [x, y]));
    const far = cell * 0.7, near = cell * 0.3, arm = far - near;
    const d = unread.map(([x, y]) => `M${x * cell + near} ${y * cell + near}l${arm} ${arm}m0 ${-arm}l${-arm} ${arm}`);
    return svg("path", { class: "sc-cross", d: d.join("") });
  }

  function canvas(n, cell, label, children) {
    const side = n * cell + 4; // two pixels around it for the outlines
    const box = { viewBox: `-2 -2 ${side} ${side}`, width: side, height: side };
    return svg("svg", { role: "img", "aria-label": label, ...box }, children);
  }

  function drawInput(s, row, column, cell, id) {
    const taps = s.reads[row].flatMap((y) => s.reads[column].map((x) => mark("tap", y, x, cell)));
    const padding = square("padding", 0, 0, s.room * cell);
    padding.setAttribute("fill", `url(#${id})`);
    return canvas(s.room, cell, inputLabel(s, row, column), [
      svg("defs", {}, [hatching(id)]),
      padding, square("pixels", s.padding * cell, s.padding * cell, s.size * cell),
      gridLines(s.room, cell), square("edge", s.padding * cell, s.padding * cell, s.size * cell),
      crosses(s, cell), ...taps, square("window", column * s.stride * cell, row * s.stride * cell, s.reach * cell),
    ]);
  }

  function drawOutput(s, row, column, cell) {
    const label = `Output of ${s.out} by ${pixels(s.out)}. The pixel in row ${row + 1}, column ${column + 1} is marked.`;
    return canvas(s.out, cell, label, [
      square("pixels", 0, 0, s.out * cell), gridLines(s.out, cell), square("edge", 0, 0, s.out * cell),
      mark("made", row, column, cell),
    ]);
  }

  // ---- the page ----

  function element(tag, properties = {}, children = []) {
    const { attributes = {}, ...rest } = properties;
    const node = Object.assign(document.createElement(tag), rest);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  }

  function slider(min, max, label) {
    const attributes = { "aria-labelledby": label };
    return element("input", { type: "range", min, max, step: 1, autocomplete: "off", attributes });
  }

  // The whole number in a text, or null when the field cannot take it.
  function parse(field, text) {
    const value = text ? Number(text) : NaN;
    return Number.isInteger(value) && value >= field.min && value <= field.max ? value : null;
  }

  // One row: label, slider, number, unit. Slider and number follow each other; `changed` runs after either moved.
  function control(field, start, id, changed) {
    const letter = element("var", { textContent: field.letter });
    const label = element("label", { id: `${id}-label`, htmlFor: id }, [`${field.name} `, letter]);
    const bar = slider(field.min, field.slide, label.id);
    const number = element("input", { type: "number", id, min: field.min, max: field.max, step: 1, value: start,
      autocomplete: "off", attributes: { "aria-describedby": `${id}-unit` } });
    const follow = () => {
      const value = parse(field, number.value);
      if (value === null) return;
      bar.value = value;
      bar.setAttribute("aria-valuetext", pixels(value));
    };
    number.addEventListener("input", () => { follow(); changed(); });
    bar.addEventListener("input", () => { number.value = bar.value; follow(); changed(); });
    follow();
    const unit = element("span", { id: `${id}-unit`, className: "sc-unit", textContent: "pixels" });
    return { field, number, row: element("div", { className: "sc-control" }, [label, bar, number, unit]) };
  }

  // The numbers of all controls, or the sentences that say what is expected instead.
  function readControls(controls) {
    const values = {}, problems = [];
    for (const { field, number } of controls) {
      const value = values[field.key] = parse(field, number.value);
      number.setAttribute("aria-invalid", String(value === null));
      if (value !== null) continue;
      const now = number.value === "" ? "it is empty or not a number" : `it is ${number.value}`;
      problems.push(`${field.name} must be a whole number from ${field.min} to ${field.max}; now ${now}.`);
    }
    return { values, problems };
  }

  // The two sliders that move the window over all output pixels.
  function windowSliders(id, moved) {
    return ["row", "column"].map((axis) => {
      const own = `${id}-${axis}`;
      const label = element("label", { id: `${own}-label`, htmlFor: own, textContent: `Output pixel ${axis}` });
      const input = Object.assign(slider(1, 1, label.id), { id: own, value: 1 });
      input.addEventListener("input", moved);
      const shown = element("span", { className: "sc-unit" });
      return { axis, input, shown, row: element("div", { className: "sc-control sc-move" }, [label, input, shown]) };
    });
  }

  // Keep a window slider inside the output and say where it stands; returns the position, counted from 0.
  function place({ axis, input, shown }, out) {
    input.max = out;
    input.disabled = out === 1;
    shown.textContent = `${input.value} of ${out}`;
    input.setAttribute("aria-valuetext", `${axis} ${input.value} of ${out}`);
    return Number(input.value) - 1;
  }

  const LEGEND = [["tap", "read by the window"], ["made", "the output pixel made from them"],
    ["padding", "padding (zeros)"], ["cross", "× read by no window"]];

  const legend = () => element("ul", { className: "sc-legend" }, LEGEND.map(([name, text]) =>
    element("li", {}, [element("span", { className: `sc-key sc-key-${name}` }), text])));

  const grid = (caption, drawing) =>
    element("div", {}, [element("p", { className: "sc-caption", textContent: caption }), drawing]);

  function drawGrids(box, s, row, column, id) {
    const cell = Math.max(12, Math.min(28, Math.floor(DRAWING_WIDTH / (s.room + s.out))));
    const padded = s.padding > 0 ? `, with padding ${s.room} × ${s.room}` : "";
    box.replaceChildren(
      grid(`Input ${s.size} × ${s.size}${padded}`, drawInput(s, row, column, cell, `${id}-hatch`)),
      grid(`Output ${s.out} × ${s.out}`, drawOutput(s, row, column, cell)));
  }

  function layout(controls, movers, id) {
    const ids = controls.map(({ number }) => number.id).join(" ");
    const parts = {
      result: element("output", { className: "sc-result", attributes: { "aria-live": "polite", for: ids } }),
      formula: element("ol", { className: "sc-formula" }),
      facts: element("ul", { className: "sc-facts" }),
      grids: element("div", { className: "sc-grids" }),
      note: element("p", { className: "sc-note" }),
    };
    parts.drawing = element("div", { className: "sc-drawing" }, [...movers.map((m) => m.row), parts.grids, legend()]);
    const title = element("p", { className: "sc-title", id: `${id}-title`, textContent: "Output-size calculator" });
    const general = element("p", { className: "sc-general", textContent: FORMULA });
    parts.all = [title, element("div", { className: "sc-controls" }, controls.map((c) => c.row)),
      parts.result, general, parts.formula, parts.facts, parts.note, parts.drawing];
    return parts;
  }

  function show(parts, s, movers, id) {
    const drawn = s !== null && s.room <= LARGEST_DRAWING;
    const lines = (texts) => texts.map((textContent) => element("li", { textContent }));
    parts.formula.replaceChildren(...lines(s ? formulaSteps(s) : []));
    parts.facts.replaceChildren(...lines(s ? facts(s) : []));
    parts.drawing.hidden = !drawn;
    parts.note.hidden = drawn || s === null;
    parts.note.textContent = s && !drawn ? `The grid is drawn only up to ${LARGEST_DRAWING} pixels with padding; ` +
      `this input has ${s.room}. The numbers above hold for it all the same.` : "";
    if (drawn) drawGrids(parts.grids, s, ...movers.map((m) => place(m, s.out)), id);
  }

  function mount(root) {
    const id = `size-calculator-${++mounted}`;
    const update = () => {
      const { values, problems } = readControls(controls);
      let s = null, text = problems.join(" ");
      try {
        if (!problems.length) s = describe(values);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        text = error.message;
      }
      if (s) text = `Output size: ${s.out} × ${pixels(s.out)}`;
      parts.result.classList.toggle("sc-problem", s === null);
      if (parts.result.textContent !== text) parts.result.textContent = text;
      show(parts, s, movers, id);
    };
    const controls = FIELDS.map((field) => control(field,
      parse(field, root.dataset[field.key]) ?? field.start, `${id}-${field.key}`, update));
    const movers = windowSliders(id, update);
    const parts = layout(controls, movers, id);
    root.setAttribute("role", "group");
    root.setAttribute("aria-labelledby", `${id}-title`);
    root.replaceChildren(...parts.all);
    update();
  }

  const mountAll = () => document.querySelectorAll("div.size-calculator").forEach(mount);

  window.sizeCalculator = { convOut };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", mountAll);
  else mountAll();
})();
