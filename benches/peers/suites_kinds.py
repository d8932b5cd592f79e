"""The kinds of differences between our app and Chromium, for `suites.py`, each with who is right and why.

The first kind that fits a record counts. What fits none is named by its traits and called unexplained: look at it, mend it or add it here.
"""

UNEXPLAINED = "**unexplained**"

# (verdicts, words of which one must begin a trait, kind, explanation)
KINDS = [
    ({"only Chromium", "only ours", "pixels"}, ["animation chunks out of order"], "APNG with wrong chunks of its animation",
     "The still picture is whole. Chromium shows it, another frame or nothing, by how far it reads before it meets the mistake."),
    ({"pixels"}, ["default image apart"], "APNG with a default image apart from its animation",
     "A decoder of still pictures shows the default image (PNG, third edition); Chromium shows the first frame."),
    ({"only Chromium", "pixels"}, ["APNG"], "APNG", "Chromium shows the first frame."),
    ({"only Chromium", "pixels"}, ["animation flag", "1 frames"], "animated WebP", "Chromium shows the first frame."),
    ({"pixels", "size"}, ["orientation"], "WebP that EXIF turns",
     "We turn it, as EXIF says and as Pillow and libvips do; Chromium turns JPEG and PNG, and never WebP."),
    ({"pixels"}, ["gAMA"], "PNG with gAMA, without sRGB or iCCP", "Chromium brings it to sRGB."),
    ({"only Chromium"}, ["pixels are missing", "pixels do not inflate"], "PNG that is cut short or damaged in its pixels",
     "Chromium shows the rows before the damage and leaves the rest empty."),
    ({"only Chromium"}, ["arithmetic"], "JPEG in arithmetic coding", "Chromium's libjpeg-turbo reads it."),
    ({"only Chromium"}, ["Adobe segment too short"], "JPEG with an APP14 segment that is too short", "libjpeg passes over the segment."),
    ({"only Chromium"}, ["baseline", "extended", "progressive"], "JPEG that is cut short or damaged in its pixels",
     "Chromium shows what it can and leaves the rest empty, grey or coarse."),
]


def explain(record):
    """Kind and explanation of a record that has a verdict."""
    if record["verdict"] == "same":
        return "", ""
    if record["verdict"] == "refused by both":
        return record["message"], "neither shows it"
    for verdicts, words, kind, explanation in KINDS:
        if record["verdict"] in verdicts and any(trait.startswith(word) for trait in record["traits"] for word in words):
            return kind, explanation
    said = " ".join(record["message"].replace("|", "/").split())
    return f"{record['format']} ({', '.join(record['traits'])}) {said}".strip(), UNEXPLAINED
