#!/usr/bin/env python3
"""Our imaging beside Pillow, OpenCV, libvips, Pillow-SIMD and Rust crates on the same picture: `make bench-peers`.

One piece of work after the other. In each of its rounds every side has a turn, in an order drawn anew, on one thread: as many calls as fill three
milliseconds, and their mean. The table has the medians and how many times faster we are than the fastest peer, with the quartiles of the
ratio over the rounds. A peer that is not installed is left out and named.

    compare.py ROUNDS_BINARY PICTURE.jpg [--simd PYTHON] [--rounds N] [--only WORK ...]

Rust crates are asked through our own binary, where it was built with them. Pillow-SIMD has the name of Pillow to Python, and so lives
in an environment of its own, whose interpreter runs this file as a worker: `compare.py --serve PICTURE.jpg`.
"""

import argparse
import io
import os
import platform
import random
import statistics
import subprocess
import sys
import time

os.environ.setdefault("VIPS_CONCURRENCY", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

QUALITY = 85
TURN = 3_000_000  # nanoseconds that a side is at work in its turn, at least; `rounds` has the same
# The matrices of the W3C Filter Effects specification, as the peers take them.
SEPIA = [[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]]


def saturate(s):
    r, g, b = 0.213, 0.715, 0.072
    return [[r + (1 - r) * s, g - g * s, b - b * s], [r - r * s, g + (1 - g) * s, b - b * s], [r - r * s, g - g * s, b + (1 - b) * s]]


HUE_30 = [[0.8377, 0.1622, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]  # any full matrix costs the same
WORKS = [f"{work} 12MP" for work in ["memcpy", "grayscale", "sepia", "saturate", "hue-rotate", "brightness+contrast", "curves", "invert",
         "chain-of-4", "sharpen", "vignette", "tiled-mark", "box-blur-10", "gaussian-5", "rough-gaussian-5", "resize-1080"]]
WORKS += [f"{work} 1MP" for work in ["memcpy", "grayscale", "sepia", "saturate", "hue-rotate", "brightness+contrast", "curves", "invert",
          "chain-of-4", "sharpen", "unsharp", "vignette", "tiled-mark", "box-blur-10", "gaussian-2", "gaussian-5", "gaussian-20",
          "rough-gaussian-5", "rough-gaussian-20", "encode-jpeg"]]
WORKS += ["pipeline-1080 12MP", "pipeline-320 12MP", "pipeline-ladder 12MP"]
LADDER = [2048, 1080, 640, 320, 160]


class Worker:
    """A process that does one named work per line and answers with the nanoseconds it took, or `none` for a work it has not."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def line(self):
        return self.process.stdout.readline().strip()

    def ask(self, work):
        self.process.stdin.write(work + "\n")
        self.process.stdin.flush()
        answer = self.line()
        if not answer:
            sys.exit(f"compare: {self.process.args[0]} ended while doing {work}")
        return None if answer == "none" else int(answer)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Remote:
    """A side that is asked through a worker: ours, a Rust crate of the same worker, Pillow-SIMD."""

    def __init__(self, name, worker, prefix=""):
        self.name, self.worker, self.prefix = name, worker, prefix

    def once(self, work):
        return self.worker.ask(self.prefix + work)


class Peer:
    """Work by name; `once` times one call, and is None for a work that is not there."""

    def __init__(self, name, works):
        self.name, self.works = name, works

    def once(self, work):
        call = self.works.get(work)
        if call is None:
            return None
        begun, taken, calls = time.perf_counter_ns(), 0, 0
        while taken < TURN:
            call()
            calls += 1
            taken = time.perf_counter_ns() - begun
        return taken // calls


def opencv(path):
    import cv2
    import numpy

    cv2.setNumThreads(1)
    data = open(path, "rb").read()
    encoded = numpy.frombuffer(data, numpy.uint8)
    large = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    sizes = {"12MP": large, "1MP": cv2.resize(large, (1080, 1080), interpolation=cv2.INTER_AREA)}
    laplace = numpy.float32([[0, -1, 0], [-1, 5, -1], [0, -1, 0]])
    works = {}
    for size, image in sizes.items():
        out = numpy.empty_like(image)
        single = numpy.empty(image.shape[:2], numpy.uint8)
        y, x = numpy.ogrid[-1 : 1 : image.shape[0] * 1j, -1 : 1 : image.shape[1] * 1j]
        mask = (255 * (1 - 0.6 * ((x * x + y * y) / 2) ** 2)).astype(numpy.uint8)
        mask = numpy.repeat(mask[:, :, None], 3, 2)

        table = numpy.random.default_rng(1).integers(0, 256, (1, 256, 3), dtype=numpy.uint8)
        # Tiles of our mark's size as far apart as ours, each multiplied by what it lets through and its ink added.
        band = int(min(150, 0.085 * min(image.shape[:2])))
        tile = numpy.full((band, int(band * 2.15), 3), 20, numpy.uint8)
        through = numpy.full_like(tile, 190)
        replicate = cv2.BORDER_REPLICATE

        def gaussian(sigma, image=image, out=out):
            return lambda: cv2.GaussianBlur(image, (0, 0), sigma, dst=out, borderType=replicate)

        def stack(sigma, image=image, out=out):
            return lambda: cv2.stackBlur(image, (6 * sigma + 1, 6 * sigma + 1), dst=out)

        def unsharp(image=image, out=out):
            cv2.GaussianBlur(image, (0, 0), 2, dst=out, borderType=replicate)
            cv2.addWeighted(image, 2, out, -1, 0, out)

        def transform(matrix, image=image, out=out):
            matrix = numpy.float32(matrix)[::-1, ::-1].copy()
            return lambda: cv2.transform(image, matrix, out)

        def chain(image=image, out=out):
            cv2.transform(image, numpy.float32(SEPIA)[::-1, ::-1].copy(), out)
            cv2.convertScaleAbs(out, out, 1.2, -25)
            cv2.transform(out, numpy.float32(saturate(1.4))[::-1, ::-1].copy(), out)
            cv2.convertScaleAbs(out, out, 1.1, 0)

        def tiled(image=image, band=band, tile=tile, through=through):
            height, width = image.shape[:2]
            for top in range(int(0.65 * band), height, int(2.6 * band)):
                for left in range(int(0.9 * band), width, int(3.6 * band)):
                    part = image[top : top + tile.shape[0], left : left + tile.shape[1]]
                    down, across = part.shape[:2]
                    cv2.multiply(part, through[:down, :across], part, 1 / 255)
                    cv2.add(part, tile[:down, :across], part)

        def gray(image=image, out=out, single=single):
            cv2.cvtColor(image, cv2.COLOR_BGR2GRAY, single)
            cv2.cvtColor(single, cv2.COLOR_GRAY2BGR, out)

        works |= {
            f"memcpy {size}": lambda image=image, out=out: numpy.copyto(out, image),
            f"grayscale {size}": gray,
            f"sepia {size}": transform(SEPIA),
            f"saturate {size}": transform(saturate(1.4)),
            f"hue-rotate {size}": transform(HUE_30),
            f"brightness+contrast {size}": lambda image=image, out=out: cv2.convertScaleAbs(image, out, 1.32, -25),
            f"invert {size}": lambda image=image, out=out: cv2.bitwise_not(image, out),
            f"chain-of-4 {size}": chain,
            f"sharpen {size}": lambda image=image, out=out: cv2.filter2D(image, -1, laplace, out),
            f"curves {size}": lambda image=image, out=out, table=table: cv2.LUT(image, table, out),
            f"unsharp {size}": unsharp,
            f"box-blur-10 {size}": lambda image=image, out=out: cv2.blur(image, (21, 21), out, borderType=cv2.BORDER_REPLICATE),
            f"tiled-mark {size}": lambda picture=image.copy(), tiled=tiled: tiled(picture),
            f"vignette {size}": lambda image=image, out=out, mask=mask: cv2.multiply(image, mask, out, 1 / 255),
            f"resize-1080 {size}": lambda image=image: cv2.resize(image, (1080, height_of(image)), interpolation=cv2.INTER_AREA),
            f"encode-jpeg {size}": lambda image=image: cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY]),
        }

        for sigma in (2, 5, 20):
            works[f"gaussian-{sigma} {size}"] = gaussian(sigma)
            works[f"rough-gaussian-{sigma} {size}"] = stack(sigma)

    masks = {}

    def height_of(image):
        return round(image.shape[0] * 1080 / image.shape[1])

    def finish(image):
        cv2.transform(image, numpy.float32(SEPIA)[::-1, ::-1].copy(), image)
        cv2.convertScaleAbs(image, image, 1.2, -25)
        height, width = image.shape[:2]
        if image.shape not in masks:
            y, x = numpy.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
            mask = (255 * (1 - 0.6 * ((x * x + y * y) / 2) ** 2)).astype(numpy.uint8)
            masks[image.shape] = numpy.repeat(mask[:, :, None], 3, 2)
        cv2.multiply(image, masks[image.shape], image, 1 / 255)
        mark = image[height - 40 : height - 10, width - 90 : width - 10]
        cv2.addWeighted(mark, 0.5, mark, 0, 20, mark)
        cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])

    def pipeline(flag, widths):
        def run():
            image = cv2.imdecode(encoded, flag)
            for width in widths:
                height = round(image.shape[0] * width / image.shape[1])
                image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
                finish(image.copy())

        return run

    works["pipeline-1080 12MP"] = pipeline(cv2.IMREAD_REDUCED_COLOR_2, [1080])
    works["pipeline-320 12MP"] = pipeline(cv2.IMREAD_REDUCED_COLOR_8, [320])
    works["pipeline-ladder 12MP"] = pipeline(cv2.IMREAD_COLOR, LADDER)
    return Peer(f"OpenCV {cv2.__version__}", works)


def pillow(path):
    import PIL
    from PIL import Image, ImageChops, ImageEnhance, ImageFilter

    data = open(path, "rb").read()
    large = Image.open(io.BytesIO(data)).convert("RGB")
    laplace = ImageFilter.Kernel((3, 3), [0, -1, 0, -1, 5, -1, 0, -1, 0], scale=1)
    works, masks = {}, {}
    for size, image in {"12MP": large, "1MP": large.resize((1080, 1080), Image.BOX)}.items():

        def matrix(rows, image=image):
            flat = [cell for row in rows for cell in (*row, 0)]
            return lambda: image.convert("RGB", flat)

        table = [min(255, max(0, round((v * 1.1 - 127.5) * 1.2 + 127.5))) for v in range(256)] * 3

        def chain(image=image):
            first = image.convert("RGB", [cell for row in SEPIA for cell in (*row, 0)])
            second = first.point(table)
            third = second.convert("RGB", [cell for row in saturate(1.4) for cell in (*row, 0)])
            third.point(table)

        works |= {
            f"grayscale {size}": lambda image=image: image.convert("L").convert("RGB"),
            f"sepia {size}": matrix(SEPIA),
            f"saturate {size}": matrix(saturate(1.4)),
            f"hue-rotate {size}": matrix(HUE_30),
            f"brightness+contrast {size}": lambda image=image, table=table: image.point(table),
            f"invert {size}": lambda image=image: ImageChops.invert(image),
            f"chain-of-4 {size}": chain,
            f"sharpen {size}": lambda image=image: image.filter(laplace),
            f"curves {size}": lambda image=image, table=table: image.point(table),
            f"unsharp {size}": lambda image=image: image.filter(ImageFilter.UnsharpMask(2, 100, 0)),
            f"box-blur-10 {size}": lambda image=image: image.filter(ImageFilter.BoxBlur(10)),
            f"rough-gaussian-5 {size}": lambda image=image: image.filter(ImageFilter.GaussianBlur(5)),
            f"rough-gaussian-20 {size}": lambda image=image: image.filter(ImageFilter.GaussianBlur(20)),
            f"resize-1080 {size}": lambda image=image: image.resize((1080, round(image.height * 1080 / image.width)), Image.HAMMING),
            f"encode-jpeg {size}": lambda image=image: image.save(io.BytesIO(), "JPEG", quality=QUALITY, subsampling=2),
        }

    def finish(image):
        image = image.convert("RGB", [cell for row in SEPIA for cell in (*row, 0)])
        image = ImageEnhance.Contrast(image).enhance(1.2)
        width, height = image.size
        if image.size not in masks:
            # 1 - 0.6 r^4 by a radial gradient, which runs from 0 in the middle to 255 at the sides' ends.
            radial = Image.radial_gradient("L").resize(image.size).point([round(153 * (min(v / 255, 1) / 1.414) ** 4) for v in range(256)])
            masks[image.size] = Image.merge("RGB", [radial.point([255 - v for v in range(256)])] * 3)
        image = ImageChops.multiply(image, masks[image.size])
        box = (width - 90, height - 40, width - 10, height - 10)
        image.paste(Image.blend(image.crop(box), Image.new("RGB", (80, 30), (22, 20, 18)), 0.46), box)
        image.save(io.BytesIO(), "JPEG", quality=QUALITY, subsampling=2)

    def pipeline(draft, widths):
        def run():
            image = Image.open(io.BytesIO(data))
            if draft:
                image.draft("RGB", draft)
            image = image.convert("RGB")
            for width in widths:
                image = image.resize((width, round(image.height * width / image.width)), Image.HAMMING)
                finish(image)

        return run

    works["pipeline-1080 12MP"] = pipeline((2000, 1500), [1080])
    works["pipeline-320 12MP"] = pipeline((500, 375), [320])
    works["pipeline-ladder 12MP"] = pipeline(None, LADDER)
    simd = "-SIMD" if "post" in PIL.__version__ else ""
    return Peer(f"Pillow{simd} {PIL.__version__}", works)


def libvips(path):
    import pyvips

    pyvips.cache_set_max(0)
    data = open(path, "rb").read()

    shades = {}

    def dark(width, height):
        if (width, height) not in shades:
            xy = pyvips.Image.xyz(width, height) * [2 / width, 2 / height] - 1
            shades[width, height] = (1 - 0.6 * ((xy[0] ** 2 + xy[1] ** 2) / 2) ** 2).copy_memory()
        return shades[width, height]

    def pipeline(widths):
        def run():
            for width in widths:
                image = pyvips.Image.thumbnail_buffer(data, width)
                image = image.recomb(pyvips.Image.new_from_array(SEPIA)).linear(1.2, -25)
                image = (image * dark(image.width, image.height)).cast("uchar")
                mark = pyvips.Image.black(80, 30, bands=3) + [22, 20, 18]
                image = image.insert(mark.cast("uchar"), image.width - 90, image.height - 40)
                image.jpegsave_buffer(Q=QUALITY)

        return run

    works = {"pipeline-1080 12MP": pipeline([1080]), "pipeline-320 12MP": pipeline([320]), "pipeline-ladder 12MP": pipeline(LADDER)}
    return Peer(f"libvips {pyvips.version(0)}.{pyvips.version(1)}", works)


def rust_crates(binary, worker):
    names = subprocess.run([binary, "peers"], capture_output=True, text=True, check=True).stdout.split()
    if not names:
        print("compare: left out the Rust crates: the binary was built without the feature `peers`", file=sys.stderr)
    return [Remote(name, worker, f"peer:{name} ") for name in names]


def pillow_simd(python, picture):
    """By an interpreter of its own, if that has it."""
    worker = Worker([python, __file__, "--serve", picture])
    name = worker.line()
    if "SIMD" in name:
        return [Remote(name, worker)]
    worker.close()
    print(f"compare: left out Pillow-SIMD: in its environment is {name}", file=sys.stderr)
    return []


def serve(picture):
    """A worker's side of the line protocol, for whichever Pillow this interpreter has."""
    try:
        peer = pillow(picture)
    except ImportError as missing:
        return print(missing)
    print(peer.name, flush=True)
    for line in sys.stdin:
        took = peer.once(line.strip())
        print("none" if took is None else took, flush=True)


def processor():
    try:
        names = [line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
        return names[0]
    except (OSError, IndexError):
        return platform.processor() or "unknown processor"


def milliseconds(nanoseconds):
    return f"{nanoseconds / 1e6:.2f}" if nanoseconds >= 1e6 else f"{nanoseconds / 1e6:.3f}"


def main():
    if sys.argv[1:2] == ["--serve"]:
        return serve(sys.argv[2])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("picture")
    parser.add_argument("--simd", metavar="PYTHON", help="the interpreter of an environment with Pillow-SIMD")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", nargs="*", default=[])
    options = parser.parse_args()
    peers = []
    for make in (opencv, pillow, libvips):
        try:
            peers.append(make(options.picture))
        except (ImportError, OSError) as missing:
            print(f"compare: left out {make.__name__}: {missing}", file=sys.stderr)
    if options.simd:
        peers += pillow_simd(options.simd, options.picture)
    worker = Worker([options.binary, "rounds", options.picture])
    ours = Remote("ours", worker)
    peers += rust_crates(options.binary, worker)
    works = [work for work in WORKS if not options.only or any(word in work for word in options.only)]
    print(f"{processor()}, one thread each, {options.rounds} interleaved rounds; milliseconds, medians; ratio with quartiles\n")
    print("| work | ours | " + " | ".join(peer.name for peer in peers) + " | times faster than the fastest |")
    print("|---|---|" + "---|" * len(peers) + "---|")
    for work in works:
        # Once before the rounds: buffers and caches, and who has this work at all.
        sides = [side for side in [ours, *peers] if side.once(work) is not None]
        times = {side: [] for side in sides}
        for _ in range(options.rounds):
            random.shuffle(sides)
            for side in sides:
                times[side].append(side.once(work))
        rivals = [peer for peer in peers if peer in times]
        fastest = min(rivals, key=lambda peer: statistics.median(times[peer]), default=None)
        ratio = "-"
        if fastest:
            ratios = [theirs / own for theirs, own in zip(times[fastest], times[ours])]
            low, middle, high = statistics.quantiles(ratios, n=4)
            ratio = f"{middle:.2f} ({low:.2f}-{high:.2f})"
        cell = lambda side: milliseconds(statistics.median(times[side])) if side in times else "-"
        print(f"| {work} | {cell(ours)} | " + " | ".join(cell(peer) for peer in peers) + f" | {ratio} |", flush=True)
    worker.close()


if __name__ == "__main__":
    main()
