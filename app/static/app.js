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

  const showPicture = () => {
    const file = input.files[0];
    if (shown) URL.revokeObjectURL(shown);
    shown = file ? URL.createObjectURL(file) : null;
    compare.show(shown);
    label.textContent = file ? "Choose another picture" : "Choose a picture";
    input.setCustomValidity("");
    if (!file) {
      for (const [image, src] of samples) image.src = src;
      return;
    }
    for (const [image] of samples) image.src = shown;
    const max = Number(form.dataset.bytesMax);
    input.setCustomValidity(file.size > max ? `This file is larger than ${Math.floor(max / 1048576)} MB. Choose a smaller one.` : "");
    input.reportValidity();
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
