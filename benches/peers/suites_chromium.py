"""Pictures as Chromium shows them, for `suites.py`: one headless Chromium, and a page from 127.0.0.1 that it keeps open.

The page asks for the next picture, loads it into an <img>, draws it onto a canvas and sends the pixels back: no protocol beside HTTP is
needed. A picture that takes Chromium down, or that it never ends with, costs that picture alone: the next one has a new Chromium.
"""

import io
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

import numpy
from PIL import Image

SIDE_MAX = 2048  # pixels of the canvas: the widest rendition's
ANSWER_S = 30  # for one picture; the largest of these suites takes a second
FLAGS = ["--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--force-color-profile=srgb"]

PAGE = b"""<!doctype html><meta charset="utf-8"><title>suites</title><body><script>
async function show({ number, size }) {
  const image = new Image();
  const loaded = await new Promise(done => {
    image.onload = () => done(true);
    image.onerror = () => done(false);
    image.src = `/picture?number=${number}`;
    document.body.replaceChildren(image);
  });
  if (!loaded) return { loaded };
  const { naturalWidth: width, naturalHeight: height } = image;
  const scale = Math.min(1, SIDE_MAX / Math.max(width, height));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = size ?? [width, height].map(side => Math.max(1, Math.round(side * scale)));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  const bare = context.getImageData(0, 0, canvas.width, canvas.height).data;
  let transparent = 0;
  for (let at = 3; at < bare.length; at += 4) transparent += bare[at] === 0;
  context.globalCompositeOperation = "destination-over";
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
  return { loaded, width, height, columns: canvas.width, rows: canvas.height, transparent: 4 * transparent / bare.length, pixels };
}
async function run() {
  for (;;) {
    const wanted = await (await fetch("/next")).json();
    const { pixels, ...said } = await show(wanted);
    const about = encodeURIComponent(JSON.stringify({ ...wanted, ...said }));
    await fetch(`/shown?about=${about}`, { method: "POST", body: pixels ?? "" });
  }
}
run();
</script>""".replace(b"SIDE_MAX", str(SIDE_MAX).encode())


class Pages(BaseHTTPRequestHandler):
    """What the browser asks for: the page, the number of the next picture, its bytes; and what it found."""

    def answer(self, kind, body):
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.send_header("cache-control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        path = urlparse(self.path)
        if path.path == "/next":
            return self.answer("application/json", json.dumps(self.server.wanted.get()).encode())
        if path.path == "/picture":
            # Browsers find the format by the contents, as the app does.
            return self.answer("application/octet-stream", self.server.picture)
        self.answer("text/html", PAGE)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        about = json.loads(parse_qs(urlparse(self.path).query)["about"][0])
        self.server.shown.put((about, body))
        self.answer("text/plain", b"")

    def log_message(self, *_):
        pass


class Chromium:
    """`show` gives what is seen of a file."""

    def __init__(self, command):
        self.command = command
        self.server = None
        self.process = None
        self.number = 0

    def start(self):
        # A server for each Chromium: what the last one still waits for is of no concern to the next.
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
        self.server.daemon_threads = True
        self.server.wanted, self.server.shown = queue.Queue(), queue.Queue()
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.profile = tempfile.TemporaryDirectory(prefix="suites-chromium-", ignore_cleanup_errors=True)
        # As root it would not start with its sandbox; everyone else keeps it, since the files are strangers'.
        flags = FLAGS + (["--no-sandbox"] if os.geteuid() == 0 else [])
        url = f"http://127.0.0.1:{self.server.server_port}/"
        self.process = subprocess.Popen([self.command, *flags, f"--user-data-dir={self.profile.name}", url],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

    def check(self):
        """Ends the program if there is no such Chromium or it does not show a grey square."""
        file = io.BytesIO()
        Image.new("RGB", (8, 8), (128, 128, 128)).save(file, "PNG")
        try:
            seen = self.show(file.getvalue())
        except FileNotFoundError:
            sys.exit(f"suites: there is no {self.command}: name a Chromium by --chromium")
        if seen is None or not seen["loaded"] or (seen["pixels"] != 128).any():
            sys.exit(f"suites: {self.command} does not show a grey square: {seen}")

    def close(self):
        if self.process is None:
            return
        # Its renderers are of its own session; they end with it.
        os.killpg(self.process.pid, 9)
        self.process.wait()
        self.server.shutdown()
        self.server.server_close()
        self.profile.cleanup()
        self.process = None

    def show(self, picture, size=None):
        """A dictionary: `loaded`, `width` and `height` as the browser tells them, `transparent` (the share of the canvas that stayed empty) and
        `pixels`, laid on white, on a canvas of `size` or of the picture's own. None when Chromium gave no answer."""
        if self.process is None:
            self.start()
        self.number += 1
        self.server.picture = picture
        self.server.wanted.put({"number": self.number, "size": size})
        try:
            about, body = self.server.shown.get(timeout=ANSWER_S)
        except queue.Empty:
            self.close()
            return None
        if about["loaded"]:
            rgba = numpy.frombuffer(body, numpy.uint8).reshape(about["rows"], about["columns"], 4)
            about["pixels"] = rgba[:, :, :3].astype(numpy.int16)
        return about
