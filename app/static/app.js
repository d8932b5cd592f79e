// What makes the pages nicer with a script; everything works without it.
// Likes and follows without a reload, a live preview of the filters, the upload's progress and its way past this server where there is
// one, and waiting for a photo.
"use strict";
document.documentElement.classList.add("js");

async function post(form) {
  const answer = await fetch(form.action, {
    method: "POST",
    headers: { accept: "application/json" },
    body: new URLSearchParams(new FormData(form)),
  });
  if (answer.redirected) {
    location.href = answer.url; // the login page
    return null;
  }
  return answer.ok ? answer.json() : null;
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("form.like, form.follow")) return;
  event.preventDefault();
  const button = form.querySelector("button");
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  try {
    const state = await post(form);
    if (!state) return;
    form.elements.on.value = String(!state.on);
    button.setAttribute("aria-pressed", String(state.on));
    if (form.matches(".like")) {
      button.classList.toggle("on", state.on);
      button.querySelector(".count").textContent = state.like_count;
      const likes = state.like_count === 1 ? " like" : " likes";
      button.querySelector(".sr").textContent = likes + (state.on ? "; you like this" : "; like this photo");
    } else {
      button.classList.toggle("quiet", state.on);
      button.textContent = state.on ? "Following" : "Follow";
      const followers = document.querySelector(".followers");
      if (followers) followers.textContent = state.follower_count;
    }
  } catch {
    form.submit(); // the network failed the script: let the browser try, and show what it gets
  } finally {
    button.removeAttribute("aria-disabled");
  }
});

// The same arithmetic as the server's: each amount moves from the value that changes nothing to the recipe's.
function scaled(css, strength) {
  if (css === "none" || strength === 0) return "none";
  return css.replace(/([a-z-]+)\((-?[\d.]+)(deg)?\)/g, (_, name, amount, unit) => {
    const identity = ["brightness", "contrast", "saturate"].includes(name) ? 1 : 0;
    const value = identity + (Number(amount) - identity) * strength / 100;
    return `${name}(${Math.round(value * 10000) / 10000}${unit || ""})`;
  });
}

// Looks that CSS has no function for are SVG filters: their numbers move in straight lines from those that change nothing.
function scaleSvg(strength) {
  for (const element of document.querySelectorAll(".look-filters feColorMatrix, .look-filters [tableValues]")) {
    const name = element.hasAttribute("tableValues") ? "tableValues" : "values";
    element.full ||= element.getAttribute(name).split(" ").map(Number);
    const last = element.full.length - 1;
    const nothing = (at) => (name === "values" ? Number(at % 6 === 0) : at / last);
    const moved = element.full.map((value, at) => nothing(at) + (value - nothing(at)) * strength / 100);
    element.setAttribute(name, moved.map((value) => value.toFixed(5)).join(" "));
  }
}

// The picture with the filter over the one without, and a slider for how much of which is seen.
function followCompare(compare) {
  const [before, after] = compare.querySelectorAll("img");
  const slider = compare.querySelector("input");
  const split = () => compare.style.setProperty("--split", `${slider.value}%`);
  slider.addEventListener("input", split);
  split();
  for (const image of [before, after]) {
    const sized = () => {
      image.setAttribute("width", image.naturalWidth);
      image.setAttribute("height", image.naturalHeight);
    };
    image.addEventListener("load", sized);
    if (image.complete && image.naturalWidth) sized();
  }
  compare.hidden = !after.hasAttribute("src");
  after.addEventListener("error", () => { compare.hidden = true; });
  return {
    after,
    show(url) {
      compare.hidden = !url;
      if (!url) return;
      before.src = url;
      after.src = url;
    },
  };
}

function followFilters(form, preview) {
  const slider = form.querySelector("#strength");
  const vignette = document.querySelector(".compare-vignette");
  const show = () => {
    const strength = Number(slider.value);
    form.querySelector("output").textContent = `${strength} %`;
    scaleSvg(strength);
    for (const choice of form.querySelectorAll("input[name=filter]")) {
      const swatch = choice.parentElement;
      const css = scaled(choice.dataset.css, strength);
      swatch.querySelector("img").style.filter = css;
      const dark = swatch.querySelector(".vignette");
      if (dark) dark.style.opacity = strength / 100;
      if (!choice.checked || !preview) continue;
      preview.style.filter = css;
      vignette.className = `compare-vignette ${dark ? dark.className : ""}`;
      vignette.style.opacity = strength / 100;
    }
  };
  form.addEventListener("input", (event) => {
    if (event.target.matches("#strength, input[name=filter]")) show();
  });
  window.addEventListener("pageshow", show);
  show();
}

// How the saved picture is turned: for each EXIF orientation the canvas's a, b, c and d.
const TURNS = [[1, 0, 0, 1], [-1, 0, 0, 1], [-1, 0, 0, -1], [1, 0, 0, -1], [0, 1, 1, 0], [0, 1, -1, 0], [0, -1, -1, 0], [0, -1, 1, 0]];
// A preview that is painted anew is no larger than this.
const PAINTED_MAX = 2048;

// Chunks as PNG (length, type, contents, sum) or WebP (type, length, contents, padding) has them: type, start, contents, end.
function* chunksOf(view, isPng) {
  for (let at = isPng ? 8 : 12, end; at + 8 <= view.byteLength; at = end) {
    const length = view.getUint32(isPng ? at : at + 4, !isPng);
    end = at + 8 + length + (isPng ? 4 : length % 2);
    const type = String.fromCharCode(...[0, 1, 2, 3].map((letter) => view.getUint8(at + (isPng ? 4 : 0) + letter)));
    yield { type, at, body: at + 8, end };
  }
}

// The orientation, from 0 on, that an EXIF block says.
function turnOf(view, start) {
  const tiff = view.getUint32(start) === 0x45786966 ? start + 6 : start; // "Exif" and two zeros, as in JPEG
  const little = view.getUint16(tiff) === 0x4949;
  const list = tiff + view.getUint32(tiff + 4, little);
  for (let index = 0; index < view.getUint16(list, little); index++) {
    const entry = list + 2 + 12 * index;
    if (view.getUint16(entry, little) !== 0x0112) continue;
    const turn = view.getUint16(entry + 8, little) - 1;
    // A short number, as the standard has it.
    return view.getUint16(entry + 2, little) === 3 && turn in TURNS ? turn : 0;
  }
  return 0;
}

// A WebP's first frame the way up that is saved: browsers play the frames, and do not ask WebP's EXIF.
async function painted(file, turn) {
  const frame = await createImageBitmap(file);
  const [a, b, c, d] = TURNS[turn];
  const scale = Math.min(1, PAINTED_MAX / Math.max(frame.width, frame.height));
  const sides = [Math.round(frame.width * scale), Math.round(frame.height * scale)];
  const canvas = new OffscreenCanvas(...(a === 0 ? [sides[1], sides[0]] : sides));
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.setTransform(a, b, c, d, a + c < 0 ? canvas.width : 0, b + d < 0 ? canvas.height : 0);
  pen.drawImage(frame, 0, 0, ...sides);
  return canvas.convertToBlob();
}

// What the saved picture will show, where a browser shows something else (docs/decisions/what-a-picture-shows.md): the still picture of an
// animated PNG; the first frame of an animated WebP, and any WebP the right way up. The file itself in all other cases.
async function asSaved(file) {
  const view = new DataView(await file.arrayBuffer());
  const starts = (...words) => words.every(([at, word]) => view.byteLength > at + 4 && view.getUint32(at) === word);
  let animated = false;
  if (starts([0, 0x89504e47])) {
    const kept = [file.slice(0, 8)];
    let still = file;
    for (const { type, at, body, end } of chunksOf(view, true)) {
      if (type === "acTL") animated = view.getUint32(body) > 1;
      if (["acTL", "fcTL", "fdAT"].includes(type)) still = null;
      else kept.push(file.slice(at, end));
    }
    return { blob: still || new Blob(kept, { type: "image/png" }), animated };
  }
  if (!starts([0, 0x52494646], [8, 0x57454250])) return { blob: file, animated };
  let [turn, frames, flags] = [0, 0, null];
  for (const { type, body } of chunksOf(view, false)) {
    if (type === "VP8X") flags = body;
    if (type === "ANMF") frames += 1;
    if (type === "EXIF") turn = turnOf(view, body);
  }
  animated = frames > 1;
  if (animated || turn > 0) return { blob: await painted(file, turn), animated };
  // One that only says that it is animated is shown by no browser.
  const saysSo = flags !== null && frames === 0 && view.getUint8(flags) & 2;
  const still = saysSo && [file.slice(0, flags), new Uint8Array([view.getUint8(flags) & ~2]), file.slice(flags + 1)];
  return { blob: still ? new Blob(still, { type: "image/webp" }) : file, animated };
}

function followUpload(form, compare) {
  const input = form.querySelector("input[type=file]");
  const drop = form.querySelector(".drop");
  const progress = form.querySelector(".upload-progress");
  const samples = [...form.querySelectorAll(".swatch img")].map((image) => [image, image.src]);
  const label = form.querySelector(".drop label strong");
  let shown = null;

  // What the browser cannot show is no picture, or one of a kind that is not accepted.
  compare.after.addEventListener("error", () => {
    if (!shown) return;
    for (const [image, src] of samples) image.src = src;
    input.setCustomValidity("This file cannot be shown. Choose a JPEG, PNG or WebP picture.");
    input.reportValidity();
  });

  const show = (blob, animated) => {
    if (shown) URL.revokeObjectURL(shown);
    shown = blob ? URL.createObjectURL(blob) : null;
    compare.show(shown);
    form.querySelector(".first-frame").hidden = !animated;
    for (const [image, src] of samples) image.src = shown || src;
  };
  const showPicture = async () => {
    const file = input.files[0];
    label.textContent = file ? "Choose another picture" : "Choose a picture";
    input.setCustomValidity("");
    if (!file) {
      show(null, false);
      return;
    }
    const max = Number(form.dataset.bytesMax);
    input.setCustomValidity(file.size > max ? `This file is larger than ${Math.floor(max / 1048576)} MB. Choose a smaller one.` : "");
    input.reportValidity();
    // What cannot be read so is shown as it is, or refused by the browser.
    const saved = await asSaved(file).catch(() => ({ blob: file, animated: false }));
    if (input.files[0] === file) show(saved.blob, saved.animated);
  };
  const take = (files) => {
    const pictures = [...files].filter((file) => file.type.startsWith("image/"));
    if (pictures.length === 0) return;
    const transfer = new DataTransfer();
    transfer.items.add(pictures[0]);
    input.files = transfer.files;
    showPicture();
  };
  input.addEventListener("change", showPicture);
  // Coming back from another page the browser fills the form again, without telling anybody.
  window.addEventListener("pageshow", () => { if (input.files.length) showPicture(); });
  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  for (const name of ["dragleave", "drop"]) {
    drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.remove("over"); });
  }
  drop.addEventListener("drop", (event) => take(event.dataTransfer.files));
  document.addEventListener("paste", (event) => { if (event.clipboardData.files.length) take(event.clipboardData.files); });

  const bar = progress.querySelector("progress");
  const words = progress.querySelector("span");
  const button = form.querySelector("button.large");
  const complain = (text) => {
    progress.hidden = true;
    button.disabled = false;
    let mistake = document.querySelector("p.mistake");
    if (!mistake) {
      mistake = document.createElement("p");
      mistake.className = "mistake";
      mistake.setAttribute("role", "alert");
      form.before(mistake);
    }
    mistake.textContent = text;
    mistake.scrollIntoView({ block: "center" });
    // Nothing has been accepted: the drafts are those of an open form again.
    for (const field of form.querySelectorAll("[data-draft]")) field.dispatchEvent(new Event("input"));
  };
  const showProgress = (sent) => {
    const share = sent.lengthComputable ? Math.round(100 * sent.loaded / sent.total) : 0;
    bar.value = share;
    words.textContent = share < 100 ? `${share} %` : "Developing ...";
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    progress.hidden = false;
    button.disabled = true;
    const file = input.files[0];
    const data = new FormData(form);
    // A file whose kind the browser cannot tell comes with the form: the server finds it out.
    const bySlot = form.dataset.slots && file && file.type;
    try {
      if (bySlot) {
        const slot = await openSlot(form.dataset.slots, file);
        const kept = await send("PUT", slot.url, slot.headers, file, showProgress);
        if (kept.status >= 400) throw new Told("The picture did not arrive. Please send it again.");
        data.delete("picture");
        data.set("upload", slot.upload);
      }
      const answer = await send("POST", form.action, {}, data, bySlot ? null : showProgress);
      const path = answer.responseURL ? new URL(answer.responseURL).pathname : location.pathname;
      if (path === "/login") throw new Told(LOGGED_OUT);
      if (path !== location.pathname) {
        for (const field of form.querySelectorAll("[data-draft]")) sessionStorage.removeItem(draftKey(field));
        location.href = answer.responseURL;
        return;
      }
      const page = new DOMParser().parseFromString(answer.responseText, "text/html");
      const mistake = page.querySelector(".mistake") || page.querySelector(".lead");
      complain(mistake ? mistake.textContent : "The upload did not work. Please try again.");
    } catch (error) {
      if (!(error instanceof Told)) console.error(error);
      complain(error instanceof Told ? error.message : "The upload did not work. Please try again.");
    }
  });
}

const LOGGED_OUT = "You have been logged out meanwhile. Log in again in another tab, then press Publish here: nothing is lost.";

// A mistake with a sentence for the person.
class Told extends Error {}

// Asks for a place in the object store that this file, and no other size or kind, may be put into.
async function openSlot(url, file) {
  const wanted = new URLSearchParams({ bytes: file.size, content_type: file.type });
  const headers = { accept: "application/json" };
  const answer = await fetch(url, { method: "POST", headers, body: wanted }).catch(() => {
    throw new Told("The connection broke off. Please send it again.");
  });
  if (answer.redirected) throw new Told(LOGGED_OUT);
  const found = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Told(found.mistake || "The upload did not work. Please try again.");
  return found;
}

// fetch tells nothing about what has been sent so far, hence the older way.
function send(method, url, headers, body, showProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    if (showProgress) request.upload.addEventListener("progress", showProgress);
    request.addEventListener("load", () => resolve(request));
    request.addEventListener("error", () => reject(new Told("The connection broke off. Please send it again.")));
    request.open(method, url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.send(body);
  });
}

// From 0.5 s to 4 s between two looks, growing by half: most photos are ready at the first.
async function waitForPhoto(main) {
  for (let pause = 500; ; pause = Math.min(pause * 1.5, 4000)) {
    await new Promise((resolve) => setTimeout(resolve, pause));
    const answer = await fetch(`/p/${main.dataset.photo}/status`).catch(() => null);
    const status = answer && answer.ok ? await answer.json() : null;
    if (status && status.progress !== "preparing") {
      location.reload();
      return;
    }
  }
}

const draftKey = (field) => `draft ${location.pathname} ${field.name}`;

// What is typed into a field marked as draft is kept for this tab until its form has been accepted, so that another form of the
// page, or a login in between, does not lose it.
function keepDrafts() {
  const afterLogin = document.referrer && new URL(document.referrer).pathname === "/login";
  for (const field of document.querySelectorAll("[data-draft]")) {
    const key = draftKey(field);
    const kept = JSON.parse(sessionStorage.getItem(key) || "null");
    const unchanged = kept && kept.base === field.value;
    if (unchanged && (!kept.sent || afterLogin)) field.value = kept.value;
    else sessionStorage.removeItem(key);
    const base = field.defaultValue;
    const keep = (sent) => {
      if (field.value === base) sessionStorage.removeItem(key);
      else sessionStorage.setItem(key, JSON.stringify({ base, value: field.value, sent }));
    };
    field.addEventListener("input", () => keep(false));
    field.form.addEventListener("submit", () => keep(true));
  }
}

keepDrafts();
const pictures = document.querySelector(".compare");
const compare = pictures ? followCompare(pictures) : null;
const upload = document.querySelector("form.upload");
if (upload) followUpload(upload, compare);
const filters = document.querySelector(".filters");
if (filters) followFilters(filters.closest("form"), compare && compare.after);
const preparing = document.querySelector("main[data-preparing]");
if (preparing) waitForPhoto(preparing);
