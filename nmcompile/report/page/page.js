const specs = JSON.parse(document.getElementById("specs").textContent);
const root = document.documentElement;
const wide = window.matchMedia("(prefers-color-scheme: dark)");

function config(width) {
  const style = getComputedStyle(root);
  const [ink, soft, line] = ["--ink", "--soft", "--line"].map(name => style.getPropertyValue(name).trim());
  const text = { labelColor: ink, titleColor: ink, labelFontSize: 12, titleFontSize: 12 };
  return {
    background: null, font: "system-ui, sans-serif", view: { stroke: null },
    axis: { ...text, gridColor: line, domainColor: soft, tickColor: soft },
    legend: {
      ...text, orient: "bottom", columns: width < 500 ? 2 : 4, labelLimit: width < 500 ? 110 : 200,
      layout: { bottom: { anchor: "start", direction: width < 500 ? "vertical" : "horizontal" } },
    },
  };
}

async function draw(place) {
  const name = place.dataset.chart;
  if (place.view) place.view.finalize();
  place.dataset.drawn = "yes";
  const made = await vegaEmbed(place, specs[name], {
    renderer: "svg", actions: false, config: config(place.clientWidth), tooltip: { theme: root.dataset.theme },
  });
  place.view = made.view;
  place.querySelector("svg").setAttribute("aria-hidden", "true");  // its place has the name
}

const places = [...document.querySelectorAll("[data-chart]")];
const seen = new IntersectionObserver(entries => {
  for (const entry of entries) {
    if (entry.isIntersecting && !entry.target.dataset.drawn) draw(entry.target);
  }
}, { rootMargin: "300px" });

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

// A chart's data as a table, made when it is asked for.
const MOST_ROWS = 1000;

function fill(details) {
  const name = details.dataset.table;
  const spec = specs[name];
  const { view } = places.find(place => place.dataset.chart === name);
  for (const { data } of [spec, ...(spec.layer ?? [])]) {
    if (data?.name) details.append(framed(tableOf(view.data(data.name), heads(data)), spec));
  }
}

function heads(data) { return data.values.slice(0, data.values.indexOf("\n")).split(","); }

function tableOf(rows, heads) {
  const table = document.createElement("table");
  const head = table.createTHead().insertRow();
  for (const text of heads) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = text;
    head.append(cell);
  }
  const body = table.createTBody();
  for (const row of rows.slice(0, MOST_ROWS)) {
    const line = body.insertRow();
    for (const text of heads) line.insertCell().textContent = row[text] ?? "";
  }
  if (rows.length > MOST_ROWS) {
    table.createCaption().textContent = `The first ${MOST_ROWS} of ${rows.length} rows`;
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
      const order = typeof x === "number" ? x - y : x.localeCompare(y);
      return falling ? -order : order;
    });
    table.tBodies[0].append(...rows);
  }));
}

function csv(table) {
  const quoted = text => /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  const cell = each => quoted(each.dataset.value ?? each.textContent.trim());
  return [...table.rows].map(row => [...row.cells].map(cell).join(",")).join("\r\n") + "\r\n";
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
