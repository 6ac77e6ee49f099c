const specs = JSON.parse(document.getElementById("specs").textContent);
const root = document.documentElement;
const wide = window.matchMedia("(prefers-color-scheme: dark)");

function config(width) {
  const style = getComputedStyle(root);
  const [ink, soft, line] = ["--ink", "--soft", "--line"].map(name => style.getPropertyValue(name).trim());
  const text = { labelColor: ink, titleColor: ink, labelFontSize: 12, titleFontSize: 12 };
  return {
    background: null, font: "system-ui, sans-serif", view: { stroke: null }, text: { color: ink },
    axis: { ...text, labelLimit: width < 500 ? 110 : 220, gridColor: line, domainColor: soft, tickColor: soft },
    axisX: { labelOverlap: true },
    legend: {
      ...text, orient: "bottom", columns: width < 500 ? 2 : 4, labelLimit: width < 500 ? 110 : 200,
      layout: { bottom: { anchor: "start", direction: width < 500 ? "vertical" : "horizontal" } },
    },
  };
}

const [ERRORS, WARNINGS] = [1, 2];  // of Vega's log

// A chart is drawn once at a time, whoever asks for it meanwhile.
function draw(place) {
  place.dataset.drawn = "yes";
  place.drawing = (place.drawing ?? Promise.resolve()).then(() => drawn(place));
  return place.drawing;
}

async function drawn(place) {
  if (place.view) place.view.finalize();
  const made = await vegaEmbed(place, specs[place.dataset.chart], {
    renderer: "svg", actions: false, config: config(place.clientWidth), tooltip: { theme: root.dataset.theme },
  });
  place.view = made.view;
  if (place.hiding?.size) await show(place);
  place.querySelector("svg").setAttribute("aria-hidden", "true");  // its place has the name
}

// What is chosen beside a chart; null among the hidden stands for all that the legend does not name.
function show(place) {
  const nothing = place.hiding.size === place.boxes.length;
  place.view.logLevel(nothing ? ERRORS : WARNINGS);  // nothing has no extent, of which Vega warns
  return place.view.signal("hidden", [...place.hiding]).runAsync();
}

function choose(place, hiding) {
  place.hiding = hiding;
  for (const box of place.boxes) box.input.checked = !hiding.has(box.value);
  return place.view && show(place);
}

function legendOf(place, spec) {
  const { entries, others, inChart } = spec.usermeta.legend;
  const set = document.createElement("fieldset");
  set.className = "legend";
  const name = document.createElement("legend");
  name.className = "unseen";
  name.textContent = `Shown in: ${spec.description}`;
  set.append(name);
  const named = entries.map(([value, colour]) => ({ value, text: value, colour }));
  if (others) named.push({ value: null, text: others[0], colour: others[1] });
  place.boxes = named.map(each => ({ value: each.value, input: boxOf(set, each) }));
  place.hiding = new Set();
  set.addEventListener("change", () => choose(
    place, new Set(place.boxes.filter(box => !box.input.checked).map(box => box.value))));
  if (named.length > 2) {
    set.append(buttonOf("All", () => choose(place, new Set())));
    set.append(buttonOf("None", () => choose(place, new Set(named.map(each => each.value)))));
  }
  if (inChart) place.after(folded(set, `Choose what is shown (${named.length})`));
  else place.after(set);
}

function boxOf(set, { text, colour }) {
  const label = document.createElement("label");
  const input = document.createElement("input");
  const swatch = document.createElement("span");
  input.type = "checkbox";
  input.checked = true;
  swatch.className = "swatch";
  swatch.style.background = colour;
  label.append(input, swatch, text);
  set.append(label);
  return input;
}

function buttonOf(text, task) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = text;
  button.addEventListener("click", task);
  return button;
}

function folded(set, text) {
  const details = document.createElement("details");
  const summary = document.createElement("summary");
  summary.textContent = text;
  details.append(summary, set);
  return details;
}

const places = [...document.querySelectorAll("[data-chart]")];
const seen = new IntersectionObserver(entries => {
  for (const entry of entries) {
    if (entry.isIntersecting && !entry.target.dataset.drawn) draw(entry.target);
  }
}, { rootMargin: "300px" });

for (const place of places) {
  const spec = specs[place.dataset.chart];
  if (spec.usermeta?.legend) legendOf(place, spec);
}

function drawAll() { return Promise.all(places.filter(place => !place.dataset.drawn).map(draw)); }

// Charts that nobody has come to are drawn while the page is idle, so that all are there to print.
async function drawNext() {
  const next = places.find(place => !place.dataset.drawn);
  if (!next) { root.dataset.drawn = "all"; return; }
  await draw(next);
  idle(drawNext);
}

function idle(task) {
  if (window.requestIdleCallback) requestIdleCallback(task); else setTimeout(task, 20);
}

function theme(name) {
  root.dataset.theme = name;
  document.getElementById("theme").textContent = name === "dark" ? "Light colours" : "Dark colours";
  return Promise.all(places.filter(place => place.dataset.drawn).map(draw));
}

document.getElementById("theme").addEventListener("click", () =>
  theme(root.dataset.theme === "dark" ? "light" : "dark"));
wide.addEventListener("change", event => theme(event.matches ? "dark" : "light"));
let shown = null;
window.addEventListener("beforeprint", () => { shown = root.dataset.theme; theme("light"); drawAll(); });
window.addEventListener("afterprint", () => { if (shown === "dark") theme(shown); });

const FADE = 8;  // pixels behind the first column, which stays, in which others fade

// Of what is larger than its place, a line says where it goes on.
function measure(place) {
  const { scrollWidth, clientWidth, scrollLeft, scrollHeight, clientHeight, scrollTop } = place;
  const wide = scrollWidth > clientWidth;
  place.toggleAttribute("data-wide", wide);
  place.toggleAttribute("data-left", scrollLeft > 0);
  place.toggleAttribute("data-right", wide && scrollLeft + clientWidth >= scrollWidth - 1);
  place.toggleAttribute("data-tall", scrollTop + clientHeight < scrollHeight - 1);
  place.style.scrollPaddingLeft = `${FADE + (place.querySelector("th")?.offsetWidth ?? 0)}px`;
}

const sizes = new ResizeObserver(entries => entries.forEach(({ target }) => measure(target)));

function watch(place) {
  sizes.observe(place);
  place.addEventListener("scroll", () => measure(place), { passive: true });
}

document.querySelectorAll(".scroll").forEach(watch);

// What a link leads to is open, though it was folded away.
function unfold() {
  const next = document.getElementById(location.hash.slice(1))?.nextElementSibling;
  if (next?.matches("details")) next.open = true;
}

window.addEventListener("hashchange", unfold);
document.querySelector("nav").addEventListener("click", () => setTimeout(unfold));
unfold();

// A chart's data as a table, made when it is asked for.
const MOST_ROWS = 1000;

async function fill(details) {
  const name = details.dataset.table;
  const spec = specs[name];
  const place = places.find(place => place.dataset.chart === name);
  await (place.drawing ?? draw(place));
  const { view } = place;
  for (const part of parts(spec).filter(({ data }) => data?.name)) {
    const rows = view.data(part.data.name);
    if (rows.length) details.append(framed(tableOf(rows, columns(part)), spec));
  }
  if (!details.querySelector("table")) details.append("There is nothing to show.");
}

// A chart and all that is laid in it, however deep.
function parts(spec) { return [spec, ...(spec.layer ?? []).flatMap(parts)]; }

// Field and head of each column: what the first tooltip of the data's marks says.
function columns(part) {
  const { encoding } = parts(part).find(each => each.encoding?.tooltip);
  const { parse } = part.data.format;
  return encoding.tooltip.map(({ field, title }) => ({ field, title, numbers: parse[field] === "number" }));
}

const DIGITS = 4;

function rounded(text, numbers) {
  if (!numbers || text === "" || text === null) return text ?? "";
  const cell = Number(text);
  return Number.isInteger(cell) ? cell.toLocaleString("en-US") : String(Number(cell.toPrecision(DIGITS)));
}

function tableOf(rows, columns) {
  const table = document.createElement("table");
  const head = table.createTHead().insertRow();
  for (const { title } of columns) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = title;
    head.append(cell);
  }
  const body = table.createTBody();
  for (const row of rows.slice(0, MOST_ROWS)) {
    const line = body.insertRow();
    for (const { field, numbers } of columns) line.insertCell().textContent = rounded(row[field], numbers);
  }
  if (rows.length > MOST_ROWS) {
    const note = document.createElement("span");
    note.textContent = `The first ${MOST_ROWS} of ${rows.length} rows`;
    table.createCaption().append(note);
  }
  return table;
}

function framed(table, spec) {
  const place = document.createElement("div");
  place.className = "scroll";
  place.tabIndex = 0;
  place.setAttribute("role", "group");
  place.setAttribute("aria-label", `${spec.description}: data`);
  place.append(table);
  watch(place);
  return place;
}

for (const details of document.querySelectorAll("details[data-table]")) {
  details.addEventListener("toggle", () => fill(details), { once: true });
}

function value(row, column) {
  const cell = row.cells[column];
  const raw = cell.dataset.value;
  return raw === undefined ? cell.textContent.trim() : Number(raw);
}

for (const table of document.querySelectorAll("table.sorted")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const falling = head.getAttribute("aria-sort") !== "descending";
    heads.forEach(each => each.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", falling ? "descending" : "ascending");
    const rows = [...table.tBodies[0].rows].sort((a, b) => {
      const [x, y] = [value(a, column), value(b, column)];
      if (typeof x !== typeof y) return typeof x === "number" ? -1 : 1;  // what is not known is last
      const order = typeof x === "number" ? x - y : x.localeCompare(y);
      return falling ? -order : order;
    });
    table.tBodies[0].append(...rows);
  }));
}

// As csv_text in report/formats.py has it: what a spreadsheet would take as a formula is made a text.
function csv(table) {
  const plain = text => /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  const quoted = text => /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  const cell = each => each.dataset.value ?? quoted(plain(each.textContent.trim()));
  const cells = row => [...row.cells].flatMap(
    each => [cell(each), ...Array(each.colSpan - 1).fill("")]);
  return [...table.rows].map(row => cells(row).join(",")).join("\r\n") + "\r\n";
}

for (const button of document.querySelectorAll("button[data-csv]")) {
  button.addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([csv(document.getElementById(button.dataset.csv))],
      { type: "text/csv" }));
    link.download = `${button.dataset.csv}.csv`;
    link.click();
    URL.revokeObjectURL(link.href);
  });
}

theme(wide.matches ? "dark" : "light");
places.forEach(place => seen.observe(place));
idle(drawNext);
