#!/usr/bin/env python3
"""What a server holds after large uploads, two builds side by side: `make compare-memory`.

    memory.py BEFORE AFTER [--rounds N] [--files N] [--limit-mb MB] [--worker]

BEFORE and AFTER are `lightmeter` (or `photo-app`) binaries; one of them may be left out. In each round both have a turn, in alternating order: a fresh
process, the same files one after the other, then its memory at rest and at its highest (VmRSS and VmHWM of /proc, so Linux only) and
the time the uploads took. `--worker` measures a worker that takes the jobs of a queue instead of the server. `--limit-mb` puts the process into a
memory cgroup of that size, as a container would, where this user may make one. Everything is on loopback and in a temporary folder.

The pictures are painted anew by NumPy from a seed, 8 to 24 megapixels: baseline and progressive JPEGs, PNGs, WebPs.
Needs Pillow, NumPy and requests.
"""

import argparse
import contextlib
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time

import numpy
import requests
from PIL import Image

SIZES = [(4000, 3000), (3264, 2448), (6000, 4000), (3000, 4000), (4608, 3456)]
KINDS = ["jpeg", "jpeg", "jpeg", "progressive", "png", "webp"]
PASSWORD = "correct horse battery"
ANSWER_SECONDS_MAX = 120


def paint(folder, count):
    """So many files of all kinds and sizes."""
    source = numpy.random.default_rng(7)
    paths = []
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        width, height = SIZES[number // len(KINDS) % len(SIZES)]
        x = numpy.linspace(0, 9 + number % 7, width, dtype=numpy.float32)
        y = numpy.linspace(0, 7, height, dtype=numpy.float32)
        pixels = numpy.empty((height, width, 3), numpy.uint8)
        # A PNG of grain would be larger than some builds accept.
        grain = 0 if kind == "png" else source.integers(0, 12, (height, width), numpy.uint8)
        for channel in range(3):
            plane = numpy.outer(numpy.cos(y * (1 + channel / 3)), numpy.sin(x + channel)) * 110 + 122
            pixels[:, :, channel] = plane.astype(numpy.uint8) + grain
        picture = Image.fromarray(pixels)
        path = os.path.join(folder, f"{number:03}.{kind}")
        if kind == "png":
            picture.save(path, "PNG", compress_level=1)
        elif kind == "webp":
            picture.save(path, "WEBP", quality=80, method=0)
        else:
            picture.save(path, "JPEG", quality=88, progressive=kind == "progressive")
        paths.append(path)
    return paths


@contextlib.contextmanager
def started(command, folder, limit=None):
    """A process, its log in the folder; afterwards it has ended. A limit is a folder of a memory cgroup."""
    with open(os.path.join(folder, "log"), "ab") as log:
        join = (lambda: open(os.path.join(limit, "cgroup.procs"), "w").write(str(os.getpid()))) if limit else None
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, cwd=folder, preexec_fn=join)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def memory_cgroup(megabytes):
    """The folder of a cgroup whose processes may have so much; None where no limit is asked for."""
    if megabytes is None:
        yield None
        return
    first = os.path.exists("/sys/fs/cgroup/memory")
    name = f"lightmeter-memory-{os.getpid()}"
    folder = os.path.join("/sys/fs/cgroup/memory" if first else "/sys/fs/cgroup", name)
    os.mkdir(folder)
    try:
        with open(os.path.join(folder, "memory.limit_in_bytes" if first else "memory.max"), "w") as limit:
            limit.write(str(megabytes << 20))
        yield folder
    finally:
        os.rmdir(folder)


def app(binary):
    return [binary, "app"] if os.path.basename(binary).startswith("lightmeter") else [binary]


def wait_for(url):
    """Until the server answers."""
    until = time.monotonic() + 30
    while True:
        try:
            return requests.get(url + "/healthz", timeout=2)
        except requests.ConnectionError:
            if time.monotonic() > until:
                sys.exit(f"memory.py: nothing answers at {url}")
            time.sleep(0.05)


def free_port():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def megabytes(process, line):
    with open(f"/proc/{process.pid}/status") as status:
        return next(int(row.split()[1]) / 1024 for row in status if row.startswith(line + ":"))


def upload_all(url, paths):
    """Seconds until all are finished; ends with a word on the first that is refused or lost."""
    person = requests.Session()
    name = f"p{random.getrandbits(32):08x}"
    person.post(url + "/signup", data={"name": name, "display_name": "P", "password": PASSWORD}, timeout=ANSWER_SECONDS_MAX)
    begun = time.monotonic()
    for path in paths:
        with open(path, "rb") as picture:
            form = {"caption": "", "alt": "", "filter": "original", "strength": "100"}
            answer = person.post(url + "/upload", files={"picture": (os.path.basename(path), picture)}, data=form,
                                 allow_redirects=False, timeout=ANSWER_SECONDS_MAX)
        if answer.status_code != 303:
            sys.exit(f"memory.py: {os.path.basename(path)} was answered with {answer.status_code}")
        photo = answer.headers["location"]
        while (state := person.get(f"{url}{photo}/status", timeout=ANSWER_SECONDS_MAX).json()["progress"]) == "preparing":
            time.sleep(0.02)
        if state != "ready":
            sys.exit(f"memory.py: {os.path.basename(path)} is {state}")
    return time.monotonic() - begun


def turn(binary, paths, arguments):
    """At rest and at most in MB, and the seconds of the uploads."""
    with tempfile.TemporaryDirectory() as folder, memory_cgroup(arguments.limit_mb) as limit, contextlib.ExitStack() as running:
        url = f"http://127.0.0.1:{(port := free_port())}"
        files = ["--store-url", os.path.join(folder, "photos.db"), "--assets-dir", os.path.join(folder, "assets")]
        serve = [*app(binary), "serve", "--listen", f"127.0.0.1:{port}", "--request-timeout-ms", "120000", *files]
        if not arguments.worker:
            measured = running.enter_context(started(serve, folder, limit))
        else:
            queue = running.enter_context(started([binary, "standin", "sqs", "--queue", "jobs"], folder))
            address = json.loads(queue.stdout.readline())["listening"]
            jobs = ["--jobs", "sqs", "--sqs-endpoint", f"http://{address}", "--sqs-queue-url", f"http://{address}/000000000000/jobs"]
            running.enter_context(started([*serve, *jobs], folder))
            wait_for(url)
            measured = running.enter_context(started([*app(binary), "work", "--listen", "127.0.0.1:0", *files, *jobs], folder, limit))
        wait_for(url)
        seconds = upload_all(url, paths)
        return megabytes(measured, "VmRSS"), megabytes(measured, "VmHWM"), seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binaries", nargs="+", metavar="BINARY", help="one build, or two: before and after")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--files", type=int, default=120)
    parser.add_argument("--limit-mb", type=int)
    parser.add_argument("--worker", action="store_true")
    arguments = parser.parse_args()
    if len(arguments.binaries) > 2:
        parser.error("name one binary or two")
    binaries = [os.path.abspath(binary) for binary in arguments.binaries]
    with tempfile.TemporaryDirectory() as folder:
        paths = paint(folder, arguments.files)
        print(f"{len(paths)} files, {sum(map(os.path.getsize, paths)) / 2**20:.0f} MB", file=sys.stderr)
        turns = [[] for _ in binaries]
        for number in range(arguments.rounds):
            for side in sorted(range(len(binaries)), reverse=number % 2 == 1):
                turns[side].append(turn(binaries[side], paths, arguments))
                print(f"round {number + 1}, build {side + 1}: " + "%.0f MB at rest, %.0f MB at most, %.1f s" % turns[side][-1], file=sys.stderr)
    print("| build | MB at rest | MB at most | seconds |\n|---|---|---|---|")
    medians = [[statistics.median(values) for values in zip(*side)] for side in turns]
    for binary, (rest, most, seconds) in zip(("before", "after"), medians):
        print(f"| {binary if len(binaries) > 1 else 'this'} | {rest:.0f} | {most:.0f} | {seconds:.1f} |")
    if len(binaries) == 2:
        rest, most, time_taken = (after / before for before, after in zip(*medians))
        print(f"| after / before | {rest:.2f} | {most:.2f} | speed {1 / time_taken:.2f} |")


if __name__ == "__main__":
    main()
