// SPDX-License-Identifier: Apache-2.0
// The page: what the server says is shown, what the person does is sent.
import {paint, pathOf, preview, words} from "/draw.js";
import {download, moment, remember, remembered} from "/keep.js";
import {connect, isOpen, request, tell} from "/line.js";

const $ = (id) => document.getElementById(id);
const LEAST_DRAG = 6; // CSS pixels; less is a click
let state = {prompts: [], cameras: [], troubles: [], figures: {}};
let paused = false, byHand = false, candidate = null;
const screens = new Map(); // camera -> {figure, canvas, caption, view, bitmap, times, line}

function showLink(live) {
  $("link").textContent = live ? "connected" : "reconnecting";
  $("link").classList.toggle("live", live);
  if (live) screens.forEach((screen) => { screen.owed = 0; });
}

async function ask(what) {
  const reply = await request(what);
  if (!reply.ok) say(reply.message, true);
  return reply;
}

// ---- pictures

async function showView(view, payload) {
  const screen = screenOf(view.camera);
  const bitmap = paused || !payload.length ? null : await createImageBitmap(new Blob([payload], {type: "image/jpeg"}));
  if (paused) return screen.owed++;
  if (bitmap) {
    screen.bitmap?.close();
    Object.assign(screen, {view, bitmap});
    screen.times = [...screen.times.filter((at) => at > performance.now() - 3000), performance.now()];
    draw(screen);
    showFound();
  }
  showMissing(view.fault);
  ready(screen);
}

function ready(screen) { // a page that nobody sees gets no pictures
  if (document.hidden) screen.owed++;
  else tell({do: "ready", camera: screen.camera});
}

function catchUp() {
  for (const screen of screens.values()) {
    for (; screen.owed > 0 && isOpen(); screen.owed--) tell({do: "ready", camera: screen.camera});
  }
}

function screenOf(camera) {
  if (!screens.has(camera)) {
    const figure = document.createElement("figure"), canvas = document.createElement("canvas");
    const caption = document.createElement("figcaption");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `live picture ${camera}`);
    figure.append(canvas, caption);
    $("cameras").append(figure);
    const screen = {camera, figure, canvas, caption, times: [], owed: 0};
    screens.set(camera, screen);
    listen(screen);
    new ResizeObserver(() => draw(screen)).observe(figure);
  }
  return screens.get(camera);
}

function colourOf(prompt) { return state.prompts.find((one) => one.text === prompt)?.colour ?? "#888888"; }

function shown(view) { // the things of prompts that are switched on
  const on = new Set(state.prompts.filter((one) => one.on).map((one) => one.text));
  return view.things.filter((thing) => on.has(thing.prompt));
}

function draw(screen) {
  if (!screen.bitmap) return;
  const [width, height] = screen.view.size;
  const factor = Math.min(2, Math.max(0.25, screen.figure.clientWidth * devicePixelRatio / width));
  screen.canvas.width = Math.round(width * factor);
  screen.canvas.height = Math.round(height * factor);
  paint(screen.canvas.getContext("2d"), {...screen, things: shown(screen.view)}, colourOf, factor, devicePixelRatio);
  caption(screen);
}

function caption(screen) {
  const {times, view, camera} = screen, figures = state.figures[camera] ?? {};
  const rate = times.length > 1 ? 1000 * (times.length - 1) / (times.at(-1) - times[0]) : 0;
  const idle = state.prompts.some((one) => one.on) ? "no result" : "looking for nothing";
  const parts = [camera, paused ? "paused" : rate ? `${rate.toFixed(1)} /s` : "", view.searched ? "" : idle,
                 `${Math.round(1000 * view.age)} ms old`, figures.network ? `network ${figures.network}` : ""];
  screen.caption.replaceChildren(...parts.filter(Boolean).map((text) => element("span", text)));
}

// ---- what is known

function element(kind, text, name) {
  const made = document.createElement(kind);
  made.textContent = text;
  if (name) made.className = name;
  return made;
}

function showState() {
  $("title").textContent = state.title;
  $("memory").hidden = !state.recall;
  $("troubles").replaceChildren(...state.troubles.map((text) => element("li", text)));
  showMissing();
  showPrompts();
  for (const [camera, screen] of screens) {
    if (!state.cameras.includes(camera)) {
      screen.figure.remove();
      screens.delete(camera);
    }
    screen.figure.style.order = state.cameras.indexOf(camera);
    draw(screen);
  }
  showFound();
}

function showMissing(fault) {
  const nothing = ![...screens.values()].some((screen) => screen.bitmap);
  $("missing").hidden = !nothing;
  $("troubles").hidden = nothing;
  const sentences = [...(fault ? [fault] : []), ...state.troubles];
  $("missing").querySelector("ul").replaceChildren(
    ...(sentences.length ? sentences : ["waiting for the first picture"]).map((text) => element("li", text)));
}

function showPrompts() {
  const rows = new Map([...$("prompts").children].map((row) => [row.dataset.text, row]));
  const wanted = state.prompts.map((prompt) => {
    const row = rows.get(prompt.text) ?? promptRow(prompt.text);
    rows.delete(prompt.text);
    row.style.setProperty("--colour", prompt.colour);
    row.classList.toggle("off", !prompt.on);
    row.querySelector("[type=checkbox]").checked = prompt.on;
    const slider = row.querySelector("[type=range]");
    if (!row.held) slider.value = prompt.threshold;
    showScore(row);
    return row;
  });
  rows.forEach((row) => row.remove());
  wanted.forEach((row, index) => { // rows that are in place keep the focus
    if ($("prompts").children[index] !== row) $("prompts").insertBefore(row, $("prompts").children[index] ?? null);
  });
}

function showScore(row) {
  const scores = [...screens.values()].flatMap((screen) => screen.view?.scores?.[row.dataset.text] ?? []);
  const score = scores.length ? Math.max(...scores) : 0, threshold = Number(row.querySelector("[type=range]").value);
  row.style.setProperty("--score", score);
  row.querySelector("[role=meter]").setAttribute("aria-valuenow", score.toFixed(2));
  row.querySelector("output").textContent = `${scores.length ? score.toFixed(2) : "-"} ≥ ${threshold.toFixed(2)}`;
}

function promptRow(text) {
  const row = $("prompt-row").content.firstElementChild.cloneNode(true);
  const slider = row.querySelector("[type=range]"), remove = row.querySelector(".remove");
  row.dataset.text = text;
  row.querySelector(".name").textContent = text;
  row.querySelector("[role=meter]").setAttribute("aria-label", `score of ${text}`);
  slider.setAttribute("aria-label", `threshold of ${text}`);
  slider.title = "Probability from which a pixel is meant; the bar is the best in the picture. Double click: the usual";
  remove.setAttribute("aria-label", `remove ${text}`);
  row.querySelector("[type=checkbox]").onchange = (event) => ask({do: "switch", text, on: event.target.checked});
  remove.onclick = () => { ask({do: "remove", text}); $("text").focus(); };
  slider.oninput = () => { showScore(row); slide(row, text, Number(slider.value)); };
  slider.ondblclick = () => slide(row, text, null);
  return row;
}

async function slide(row, text, value) { // one is on its way at a time, then the newest
  row.next = {value};
  if (row.held) return;
  row.held = true;
  while (row.next) {
    const {value} = row.next;
    row.next = null;
    await ask({do: "threshold", text, value});
  }
  row.held = false;
  showPrompts();
}

function showFound() {
  const things = [...screens.values()].flatMap((screen) => screen.view ?
    shown(screen.view).map((thing) => ({thing, screen})) : []);
  $("count").textContent = things.length ? `(${things.length})` : "";
  while ($("found").children.length > things.length) $("found").lastChild.remove();
  while ($("found").children.length < things.length) $("found").append(foundRow());
  things.forEach(({thing, screen}, index) => {
    const row = $("found").children[index], [name, ...rest] = words(thing);
    Object.assign(row, {thing, screen});
    row.style.setProperty("--colour", colourOf(thing.prompt));
    row.querySelector(".what").replaceChildren(`${name} `, element("small", [...rest, screen.camera].join("  ")));
  });
  [...$("prompts").children].forEach(showScore);
}

function foundRow() {
  const row = element("li", ""), button = element("button", "Use as prompt");
  row.append(element("span", "", "swatch"), element("span", "", "what"), button);
  button.onclick = () => nameThing(row.screen, row.thing);
  return row;
}

let hush;
function say(text, bad = false) {
  $("notice").textContent = text;
  $("notice").classList.toggle("bad", bad);
  $("notice").hidden = !text;
  clearTimeout(hush);
  hush = setTimeout(() => { $("notice").hidden = true; }, bad ? 9000 : 4000);
}

// ---- things become prompts

function listen(screen) {
  const {canvas} = screen;
  const place = (event) => {
    const box = canvas.getBoundingClientRect(), [width, height] = screen.view.size;
    const scale = Math.max(width / box.width, height / box.height); // object-fit: contain
    return [(event.clientX - box.x - box.width / 2) * scale + width / 2,
            (event.clientY - box.y - box.height / 2) * scale + height / 2].map(Math.round);
  };
  let start = null;
  canvas.onpointerdown = (event) => {
    if (!screen.view || event.button) return;
    start = [event.clientX, event.clientY];
    if (event.pointerType === "touch" && !$("draw").matches("[aria-pressed=true]")) return;
    screen.line = place(event);
    canvas.setPointerCapture(event.pointerId);
  };
  canvas.onpointermove = (event) => {
    if (!screen.line || screen.line.length >= 4000) return;
    if (Math.hypot(event.clientX - start[0], event.clientY - start[1]) < LEAST_DRAG && screen.line.length < 4) return;
    screen.line.push(...place(event));
    if (!paused) pause(true);
    draw(screen);
  };
  canvas.onpointerup = (event) => {
    if (!start) return;
    const line = screen.line;
    start = screen.line = null;
    if (line?.length >= 6) return name(screen, screen.view, {outline: line}, "");
    const [x, y] = place(event), context = canvas.getContext("2d");
    const hit = shown(screen.view).filter((thing) => context.isPointInPath(pathOf(thing), x, y, "evenodd"))
      .sort((one, other) => one.box[2] * one.box[3] - other.box[2] * other.box[3])[0];
    if (hit) nameThing(screen, hit);
    else say("there is no mask; click a coloured thing, or draw around one");
  };
  canvas.onpointercancel = () => { start = screen.line = null; draw(screen); };
}

function nameThing(screen, thing) {
  const {view} = screen;
  name(screen, view, {thing: view.things.indexOf(thing)}, thing.prompt);
}

function name(screen, view, what, like) { // the picture stays as it is while its thing gets a name
  const outline = what.outline ?? view.things[what.thing].outlines.flat();
  candidate = {...what, view: view.number};
  pause(true);
  preview($("example"), screen.bitmap, view.size, outline);
  const plain = like.replace(/^(@|the |an? )/i, "").replace(/[^A-Za-z0-9_-]+/g, "_").replace(/^_|_$/g, "");
  openNaming(plain ? `my_${plain.replace(/^my_/, "")}`.slice(0, 60) : "my_thing");
}

function openNaming(suggestion) {
  $("name").value = suggestion;
  $("naming").showModal();
  $("name").select();
}

async function store() {
  const what = candidate, chosen = $("name").value;
  candidate = null;
  const reply = what.file ? await send(what.file, chosen) : await ask({do: "example", name: chosen, ...what});
  if (reply.ok) say(`@${chosen} is a prompt now`);
  unpause();
}

async function send(file, chosen) {
  try {
    const response = await fetch(`/example?name=${encodeURIComponent(chosen)}`, {method: "POST", body: file});
    const reply = await response.json();
    if (!reply.ok) say(reply.message, true);
    return reply;
  } catch {
    say("the picture could not be sent; is the page's server there?", true);
    return {ok: false};
  }
}

async function chosenFile() {
  const file = $("file").files[0];
  $("file").value = "";
  if (!file) return;
  try {
    const bitmap = await createImageBitmap(file);
    preview($("example"), bitmap, [bitmap.width], [0, 0, bitmap.width, bitmap.height]);
  } catch {
    $("example").getContext("2d").clearRect(0, 0, 999, 999); // the server says what is wrong with it
  }
  candidate = {file};
  openNaming(file.name.replace(/\.\w+$/, "").replace(/[^A-Za-z0-9_-]+/g, "_").slice(0, 60) || "picture");
}

// ---- buttons

function pause(on) {
  paused = on;
  $("pause").setAttribute("aria-pressed", on);
  $("pause").textContent = on ? "Go on" : "Pause";
  if (!on) catchUp();
  screens.forEach((screen) => screen.view && caption(screen));
}

function unpause() { if (!byHand) pause(false); } // what a person froze stays so

function pauseByHand() { pause(byHand = !paused); }

function draws(on) {
  $("draw").setAttribute("aria-pressed", on);
  document.body.classList.toggle("drawing", on);
  if (on) say("draw around the thing; Escape ends it");
}

function seen() { return [...screens.values()].filter((screen) => screen.bitmap); }

function savePng() {
  for (const screen of seen()) {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = screen.view.size;
    paint(canvas.getContext("2d"), {...screen, line: null, things: shown(screen.view)}, colourOf, 1,
          Math.max(1, canvas.width / 900));
    canvas.toBlob((blob) => download(blob, `clipseg_${screen.camera}${moment()}.png`), "image/png");
  }
  if (!seen().length) say("there is no picture yet", true);
}

async function collect() {
  if (!seen().length) say("there is no picture yet", true);
  for (const screen of seen()) {
    const reply = await ask({do: "collect", view: screen.view.number});
    if (!reply.ok) continue;
    const name = `clipseg_${screen.camera}${moment()}.zip`;
    if (reply.payload) download(new Blob([reply.payload], {type: "application/zip"}), name);
    say(reply.message);
  }
}

function showHistory() {
  $("history").replaceChildren(...remembered().map((text) => Object.assign(element("option", ""), {value: text})));
}

$("add").onsubmit = async (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (!text) return;
  $("text").value = ""; // at once, for the next one
  if (!(await ask({do: "add", text})).ok) {
    $("text").value ||= text;
    return;
  }
  remember(text);
  showHistory();
};
$("recall").onsubmit = async (event) => {
  event.preventDefault();
  const reply = await ask({do: "recall", text: $("question").value});
  if (!reply.ok) return;
  $("memories").querySelectorAll("img").forEach((image) => URL.revokeObjectURL(image.src));
  $("memories").replaceChildren(...reply.found.map(({caption, score, thumbnail}) => {
    const item = element("li", ""), image = element("img", "");
    image.src = URL.createObjectURL(new Blob([Uint8Array.from(atob(thumbnail), (one) => one.charCodeAt(0))]));
    image.alt = caption;
    item.append(image, element("p", `${caption}  ${score.toFixed(2)}`));
    return item;
  }));
  if (!reply.found.length) say("nothing like that was seen");
};
$("text").onkeydown = (event) => { if (event.key === "Escape") $("text").value = ""; };
$("pause").onclick = pauseByHand;
$("draw").onclick = () => draws(!$("draw").matches("[aria-pressed=true]"));
$("upload").onclick = () => $("file").click();
$("file").onchange = chosenFile;
$("png").onclick = savePng;
$("collect").onclick = collect;
$("cancel").onclick = () => $("naming").close();
$("naming").onclose = () => { if (candidate) unpause(); candidate = null; draws(false); };
$("naming").firstElementChild.onsubmit = store;
document.onkeydown = (event) => {
  if (event.target.closest("input, button, dialog") && event.key !== "Escape" || event.ctrlKey || event.metaKey) return;
  const act = {"/": () => $("text").focus(), p: pauseByHand, d: () => $("draw").click(), s: savePng, t: collect,
               Escape: () => draws(false)}[event.key];
  if (act) { act(); if (event.key === "/") event.preventDefault(); }
};
document.onvisibilitychange = () => { if (!document.hidden && !paused) catchUp(); };
showHistory();
connect({link: showLink, view: showView, state: (message) => { state = message; showState(); }});
