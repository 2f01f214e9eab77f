/* Power calculator of lab 16: how many runs an arm show a difference, in the browser.

   Purpose: a reader without Python enters the difference that matters and the spread of the runs, and sees how many
   runs each arm needs so that a 95 % interval leaves out zero in four cases of five.
   Mounts on every <div class="power-calculator">; data-difference and data-sd, in percentage points, set where it
   starts. The text inside the div is for readers without JavaScript.
   The normal approximation with a correction for few runs (Guenther, 1981); labkit.statistics.runs_needed uses the
   noncentral t itself, and a test compares the two. No library and no network. */
(() => {
  "use strict";

  const FIELDS = [
    { key: "difference", name: "Difference that matters", start: 1 },
    { key: "sd", name: "Spread of the runs (sd)", start: 1 },
  ];
  const LEVEL_Z = 1.959964; // 95 % interval, two-sided
  const POWER_Z = 0.841621; // four cases of five
  const LEAST = 0.01, MOST = 100; // percentage points
  let mounted = 0;

  // ---- arithmetic: no page in sight ----

  function runsNeeded(difference, sd) {
    const ratio = sd / difference;
    const found = 2 * (LEVEL_Z + POWER_Z) ** 2 * ratio ** 2 + LEVEL_Z ** 2 / 4;
    return Math.max(2, Math.ceil(found));
  }

  // ---- the page ----

  function element(tag, properties = {}, children = []) {
    const { attributes = {}, ...rest } = properties;
    const node = Object.assign(document.createElement(tag), rest);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  }

  function parse(text) {
    const value = text === "" || text === undefined ? NaN : Number(text);
    return Number.isFinite(value) && value >= LEAST && value <= MOST ? value : null;
  }

  function control(field, start, id, changed) {
    const label = element("label", { htmlFor: id, textContent: field.name });
    const number = element("input", { type: "number", id, min: LEAST, max: MOST, step: "any", value: start,
      autocomplete: "off", attributes: { "aria-describedby": `${id}-unit` } });
    number.addEventListener("input", changed);
    const unit = element("span", { id: `${id}-unit`, className: "pc-unit", textContent: "percentage points" });
    return { field, number, row: element("div", { className: "pc-control" }, [label, number, unit]) };
  }

  function sentence({ difference, sd }) {
    const n = runsNeeded(difference, sd);
    return `${n.toLocaleString("en")} runs an arm, ${(2 * n).toLocaleString("en")} in all.`;
  }

  function mount(root) {
    const id = `power-calculator-${++mounted}`;
    const update = () => {
      const values = {}, problems = [];
      for (const { field, number } of controls) {
        const value = values[field.key] = parse(number.value);
        number.setAttribute("aria-invalid", String(value === null));
        if (value === null) problems.push(`${field.name} must be a number from ${LEAST} to ${MOST}.`);
      }
      result.classList.toggle("pc-problem", problems.length > 0);
      result.textContent = problems.length ? problems.join(" ") : sentence(values);
    };
    const controls = FIELDS.map((field) =>
      control(field, parse(root.dataset[field.key]) ?? field.start, `${id}-${field.key}`, update));
    const ids = controls.map(({ number }) => number.id).join(" ");
    const result = element("output", { className: "pc-result", attributes: { "aria-live": "polite", for: ids } });
    const title = element("p", { className: "pc-title", id: `${id}-title`, textContent: "Power calculator" });
    root.setAttribute("role", "group");
    root.setAttribute("aria-labelledby", title.id);
    root.replaceChildren(title, ...controls.map((c) => c.row), result);
    update();
  }

  const mountAll = () => document.querySelectorAll("div.power-calculator").forEach(mount);

  window.powerCalculator = { runsNeeded };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", mountAll);
  else mountAll();
})();
