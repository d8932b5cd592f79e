"""What a picture file is by its headers, for `suites.py`: its format and a few words on what is unusual about it.

Only sizes, markers and checksums are looked at; bits of JPEG and WebP are not decoded. Strangers' files: whatever they claim, nothing is
read past their end, and no more is inflated than a PNG's own size asks for.
"""

import struct
import zlib

INFLATED_MAX = 256 * 1024 * 1024


def format_of(data):
    if data[:3] == b"\xff\xd8\xff":
        return "JPEG"
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "PNG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    return None


def features_of(data):
    """`format`, and `traits`: words in the order they were met."""
    form = format_of(data)
    traits = []
    try:
        {"JPEG": jpeg, "PNG": png, "WebP": webp}[form](data, traits)
    except (struct.error, IndexError):
        traits.append("ends within its headers")
    return {"format": form, "traits": list(dict.fromkeys(traits))}


def orientation(tiff):
    """EXIF's tag 274, when it is a SHORT in the first directory: otherwise none."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return "EXIF without a byte order"
    try:
        start = struct.unpack_from(order + "I", tiff, 4)[0]
        for at in range(struct.unpack_from(order + "H", tiff, start)[0]):
            tag, kind, _ = struct.unpack_from(order + "HHI", tiff, start + 2 + 12 * at)
            value = struct.unpack_from(order + ("I" if kind in (4, 9) else "H"), tiff, start + 10 + 12 * at)[0]
            if tag == 274:
                return f"orientation {value}" + ("" if kind == 3 else f" of type {kind}")
    except struct.error:
        return "EXIF broken"
    return None


def jpeg(data, traits):
    position, scans, closed = 2, 0, False
    while position < len(data):
        found = data.find(b"\xff", position)
        if found < 0:
            break
        if found > position and not scans:
            traits.append("bytes between segments")
        marker = data[found + 1]
        position = found + 1 if marker == 0xFF else found + 2
        if marker == 0xD9:
            closed = True
            break
        if marker in (0x00, 0x01, 0xFF) or 0xD0 <= marker <= 0xD8:
            continue
        length = struct.unpack_from(">H", data, position)[0]
        body = data[position + 2:position + length]
        if length < 2 or position + length > len(data):
            traits.append(f"segment {marker:02X} is longer than the file" if length >= 2 else "segment without a length")
        jpeg_segment(marker, body, scans, traits)
        scans += marker == 0xDA
        position += max(2, length)
    if not scans:
        traits.append("no scan")
    if not closed:
        traits.append("no EOI")


def jpeg_segment(marker, body, scans, traits):
    if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
        coding = {0xC0: "baseline", 0xC1: "extended", 0xC2: "progressive"}.get(marker, "lossless or hierarchical" if marker < 0xC8 else "arithmetic")
        precision, height, width, count = struct.unpack_from(">BHHB", body)
        factors = [body[7 + 3 * at] for at in range(count)]
        ids = [body[6 + 3 * at] for at in range(count)]
        traits.append(coding)
        traits.append({1: "grey", 3: "three components", 4: "four components"}.get(count, f"{count} components"))
        traits += [f"{precision} bits"] * (precision != 8) + ["no height"] * (height == 0) + ["no width"] * (width == 0)
        traits += ["doubled component ids"] * (len(set(ids)) < count)
        if count > 1 and any(other >> 4 > factors[0] >> 4 or (other & 15) > (factors[0] & 15) for other in factors[1:]):
            traits.append("luma subsampled")
    elif marker == 0xDA and scans == 0 and body:
        traits += ["scans of one component"] * (body[0] == 1)
    elif marker == 0xDC:
        traits.append("DNL")
    elif marker == 0xE1 and body.startswith(b"Exif\0\0"):
        traits += filter(None, [orientation(body[6:])])
    elif marker == 0xE2 and body.startswith(b"ICC_PROFILE\0"):
        traits += ["ICC profile " + body[14 + 16:14 + 20].decode("latin-1").strip()] * (body[12] <= 1)
    elif marker == 0xEE and body.startswith(b"Adobe"):
        traits.append(f"Adobe transform {body[11]}" if len(body) > 11 else "Adobe segment too short")


def png(data, traits):
    position, pixels, header, ended, order = 8, [], None, False, []
    while position < len(data):
        length, = struct.unpack_from(">I", data, position)
        kind = data[position + 4:position + 8]
        body = data[position + 8:position + 8 + length]
        name = kind.decode("latin-1") if kind.isalpha() else "of no name"
        checksum = data[position + 8 + length:position + 12 + length]
        if len(checksum) < 4:
            traits.append(f"ends within chunk {name}")
        elif struct.unpack(">I", checksum)[0] != zlib.crc32(kind + body):
            traits.append(f"wrong checksum of {name}")
        if kind == b"IHDR" and header is None:
            header = struct.unpack_from(">IIBBBBB", body)
        elif kind == b"IDAT":
            pixels.append(body)
        elif kind == b"IEND":
            ended = True
            break
        if kind in (b"acTL", b"fcTL", b"fdAT", b"IDAT"):
            order.append((kind, body[:4]))
        png_chunk(kind, body, bool(pixels), traits)
        position += 12 + length
    animation(order, traits)
    traits += ["no IEND"] * (not ended)
    traits += ["no IHDR"] * (header is None) + ["no IDAT"] * (not pixels)
    if header and pixels:
        png_pixels(header, pixels, traits)


def animation(order, traits):
    """From the chunks of an APNG in their order: fcTL begins a frame, whose pixels are IDAT for the first and fdAT for the others."""
    kinds = [kind for kind, _ in order]
    if b"acTL" not in kinds or b"IDAT" not in kinds:
        return
    if b"fcTL" not in kinds[:kinds.index(b"IDAT")]:
        traits.append("default image apart")
    numbers = [struct.unpack(">I", start)[0] for kind, start in order if kind in (b"fcTL", b"fdAT")]
    twice = any(kinds[at:at + 2] == [b"fcTL", b"fcTL"] for at in range(len(kinds)))
    if numbers != list(range(len(numbers))) or twice or b"fcTL" not in kinds or kinds.count(b"acTL") > 1 or kinds[0] != b"acTL":
        traits.append("animation chunks out of order")


def png_chunk(kind, body, behind, traits):
    place = " behind the pixels" if behind else ""
    if kind == b"acTL":
        traits.append(f"APNG of {struct.unpack_from('>I', body)[0]} frames" + place)
    elif kind == b"iCCP":
        traits.append("iCCP" + place)
    elif kind == b"gAMA":
        traits.append(f"gAMA {struct.unpack_from('>I', body)[0]}" + place)
    elif kind in (b"cHRM", b"sRGB", b"cICP", b"tRNS", b"PLTE"):
        traits.append(kind.decode() + place)
    elif kind == b"eXIf":
        traits.append((orientation(body) or "eXIf") + place)
    elif kind[:1].isupper() and kind not in (b"IHDR", b"IDAT", b"IEND"):
        traits.append("unknown critical chunk")


def png_pixels(header, pixels, traits):
    width, height, depth, colour, _, _, interlace = header
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour)
    traits.append({0: "grey", 2: "RGB", 3: "palette", 4: "grey and alpha", 6: "RGBA"}.get(colour, "unknown colour type"))
    traits += [f"{depth} bits"] * (depth != 8) + ["interlaced"] * (interlace == 1) + ["no size"] * (not width * height)
    if samples is None or interlace not in (0, 1) or not width * height:
        return
    # Interlaced pictures have a few bytes more: a filter for each row of each pass.
    wanted = height * ((width * samples * depth + 7) // 8 + 1)
    stream = zlib.decompressobj()
    try:
        found = len(stream.decompress(b"".join(pixels), min(wanted + 1, INFLATED_MAX)))
    except zlib.error:
        return traits.append("pixels do not inflate")
    if found < min(wanted, INFLATED_MAX):
        traits.append("pixels are missing")
    elif not stream.eof and found == wanted and not stream.unconsumed_tail:
        traits.append("compressed stream without an end")


def without_animation(data):
    """A PNG without the chunks of an animation: the still picture that it is to decoders which know none."""
    kept, position = [data[:8]], 8
    while position + 8 <= len(data):
        length, = struct.unpack_from(">I", data, position)
        chunk = data[position:position + 12 + length]
        if chunk[4:8] not in (b"acTL", b"fcTL", b"fdAT"):
            kept.append(chunk)
        position += len(chunk)
    return b"".join(kept)


def webp(data, traits):
    said, = struct.unpack_from("<I", data, 4)
    traits += ["shorter than it says"] * (said + 8 > len(data))
    position, frames = 12, 0
    while position + 8 <= len(data):
        kind = data[position:position + 4]
        length, = struct.unpack_from("<I", data, position + 4)
        body = data[position + 8:position + 8 + length]
        if len(body) < length:
            traits.append("ends within a chunk")
        if kind == b"VP8X":
            traits += ["animation flag"] * bool(body[0] & 2) + ["alpha flag"] * bool(body[0] & 16)
        elif kind == b"ICCP":
            traits.append("ICC profile " + body[16:20].decode("latin-1").strip())
        elif kind == b"EXIF":
            traits += filter(None, [orientation(body[6:] if body.startswith(b"Exif\0\0") else body)])
        elif kind in (b"VP8 ", b"VP8L"):
            traits.append({b"VP8 ": "lossy", b"VP8L": "lossless"}[kind])
        frames += kind == b"ANMF"
        position += 8 + length + length % 2
    traits += [f"{frames} frames"] * (frames > 0)
