"""The kinds of differences between our app and Chromium, for `suites.py`, each with who is right and why.

The first kind that fits a record counts. What fits none is named by its traits and called unexplained: look at it, mend it or add it here.
"""

UNEXPLAINED = "**unexplained**"

# What is saved of a file that has more than one picture, or that says which way up it is.
NOTE = "[what-a-picture-shows](what-a-picture-shows.md)"
# What is asked of a JPEG.
JPEGS = "[strangers-jpegs](strangers-jpegs.md)"

# (verdicts, words, kind, explanation); each of the words begins a trait, or the name of the file where no trait tells. What was mended
# has no kind, so that it would stand out.
KINDS = [
    ({"pixels", "only ours"}, ["animation chunks out of order", "the same without its animation"], "APNG with wrong chunks of its animation",
     f"Ours is the still picture, which is whole, as Chromium shows it when the animation is left out ({NOTE}). Of the animation it shows what "
     "comes before the mistake, or nothing."),
    ({"pixels"}, ["default image apart", "the same without its animation"], "APNG with a default image apart from its animation",
     f"Ours is the default image, as the third edition of PNG has it for still pictures and as Chromium shows it when the animation is left out "
     f"({NOTE}); as it is, Chromium shows the animation's first frame."),
    ({"pixels"}, ["orientation", "the same when turned"], "WebP that EXIF turns",
     f"Ours is turned, as EXIF says, and as Pillow and libvips turn it ({NOTE}). Chromium turns JPEG and PNG, and never WebP."),
    ({"only ours"}, ["lossy", "1 frames"], "WebP with a frame of no animation behind its picture",
     "The picture is whole, nothing says that it is animated, and zeros follow it; ours is that picture. Chromium paints nothing."),
    ({"only Chromium"}, ["pixels are missing"], "PNG that ends within its pixels",
     f"Refused as incomplete ({NOTE}); Chromium shows the rows that are there."),
    ({"only Chromium"}, ["no EOI", "segment"], "JPEG whose pixels a false marker ends",
     f"Refused as damaged ({JPEGS}): the marker stands before the last pixels. Chromium leaves what is missing grey."),
    ({"only Chromium"}, ["no EOI", "rows are missing"], "JPEG that ends within its pixels",
     f"Refused as incomplete ({JPEGS}); Chromium shows the rows that are there."),
    ({"only Chromium"}, ["arithmetic"], "JPEG in arithmetic coding",
     f"Refused by name, with what to do ({JPEGS}): hardly any program writes it. Chromium's libjpeg-turbo reads it."),
    ({"only Chromium"}, ["hopper_bad_exif.jpg"], "JPEG that is damaged in its pixels",
     f"Refused as damaged ({JPEGS}): codes that are none have left stripes of the picture, and Chromium shows those."),
]


def explain(record):
    """Kind and explanation of a record that has a verdict."""
    if record["verdict"] == "same":
        return "", ""
    if record["verdict"] == "refused by both":
        return record["message"], "neither shows it"
    traits = [*record["traits"], record["name"].rsplit("/", 1)[-1]]
    for verdicts, words, kind, explanation in KINDS:
        if record["verdict"] in verdicts and all(any(trait.startswith(word) for trait in traits) for word in words):
            return kind, explanation
    said = " ".join(record["message"].replace("|", "/").split())
    return f"{record['format']} ({', '.join(record['traits'])}) {said}".strip(), UNEXPLAINED
