"""Draw the pictures of README and first page from results of ``gapsim demo``: ``python docs/pictures.py results/demo``.

Pages are opened in Chromium; what a brief says first is written into its picture, from which tests read it.
"""

import io
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import sync_playwright

from pysd_runner import brief, load_future
from pysd_runner.cli import main
from pysd_runner.study.future import Future
from pysd_runner.text import LANGUAGES

FOLDER = Path(__file__).parent / "images"
REGION = "Sichuan"
WIDTH, HEIGHT = 1000, 985


def first_words(future: Future, lang: str) -> str:
    """What the brief of the region says before its chart."""
    return " ".join(brief(future, REGION, lang=lang).lead)


def shot(page: Path, name: str, said: str) -> None:
    """Take a picture of the top of a page, in few colours."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with sync_playwright() as play, play.chromium.launch(executable_path=browser, args=["--no-sandbox"]) as opened:
        view = opened.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        view.goto(page.as_uri())
        if name.startswith("explorer"):
            view.wait_for_selector("html[data-ready]", state="attached")
            view.wait_for_timeout(5000)  # until all draws are run
        taken = view.screenshot()
    words = PngInfo()
    words.add_itxt("Description", said)
    with Image.open(io.BytesIO(taken)) as picture:
        few = picture.convert("RGB").quantize(64)
    few.save(FOLDER / name, optimize=True, pnginfo=words)


def draw(results: str) -> None:
    """Draw the top of a brief and of the explorer in both languages."""
    future = load_future(results)
    with TemporaryDirectory() as folder:
        for lang in LANGUAGES:
            ending = "" if lang == LANGUAGES[0] else f"_{lang}"
            main(["brief", REGION, "--run", results, "--format", "html", "--lang", lang, "--out", f"{folder}/{lang}"])
            (page,) = Path(folder, lang).glob("*.html")
            shot(page, f"brief{ending}.png", first_words(future, lang))
            explorer = Path(folder, f"explorer_{lang}.html")
            main(["explore", results, "--lang", lang, "--out", str(explorer)])
            shot(explorer, f"explorer{ending}.png", "")


if __name__ == "__main__":
    draw(sys.argv[1])
