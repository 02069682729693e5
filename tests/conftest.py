"""What holds for every test: each run of the shipped model keeps the behaviour rules that stand beside it."""

import functools
import os
import signal
from dataclasses import replace

import pytest
from hypothesis import settings

from tests.provinces import REGIONS

# How long an example takes says how busy the machine is.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


def pytest_configure():
    """Take SIGINT and SIGHUP also where the caller ignores them, as shells and nohup do; children inherit it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@functools.cache
def shipped_rules():
    from pysd_runner.checks import load_rules
    from pysd_runner.core.paths import model_folder

    return load_rules(model_folder("regional_digital") / "checks.toml")


def applicable(run):
    """The rules as far as a run that saved only some variables can be held to them."""
    saved = set(run.data)
    for rule in shipped_rules():
        kept = tuple(name for name in rule.variables if name in saved or name == "*")
        if kept and set(rule.when) <= saved and not (rule.kind == "ordered" and len(kept) < 2):
            yield replace(rule, variables=kept)


@pytest.fixture(scope="session", autouse=True)
def place_of_the_tests(request, tmp_path_factory):
    """Tests speak English and keep compiled code in GAPSIM_CACHE, or else in pytest's cache; processes inherit both."""
    # Keys are hashes of models and of the code that compiles them; `pytest --cache-clear` empties it.
    with pytest.MonkeyPatch.context() as patch:
        if not os.environ.get("GAPSIM_CACHE"):
            kept = getattr(request.config, "cache", None)
            folder = kept.mkdir("compiled") if kept else tmp_path_factory.mktemp("compiled")
            folder.chmod(0o700)
            patch.setenv("GAPSIM_CACHE", str(folder))
        patch.setenv("GAPSIM_LANG", "en")
        yield


@pytest.fixture(scope="session")
def panel():
    """Four provinces of the shipped panel."""
    from pysd_runner.data import load_data

    return load_data("china").subset(entities=REGIONS)


@pytest.fixture(scope="session")
def model():
    """The shipped model over as many regions."""
    from pysd_runner.model import load_model

    return load_model("regional_digital", regions=len(REGIONS))


@pytest.fixture
def one_figure(monkeypatch):
    """Draw the first figure of a projection alone."""
    from pysd_runner.reports import results as module

    every = module.figure_jobs
    monkeypatch.setattr(module, "figure_jobs", lambda *given, **named: every(*given, **named)[:1])


@pytest.fixture
def one_ranking(monkeypatch):
    """Rank policies as calibrated alone: other assumptions take most of the time of an answer."""
    from pysd_runner.policy import ranking

    monkeypatch.setattr(ranking, "scanned", lambda *_: {})


@pytest.fixture
def no_pictures(monkeypatch):
    """Leave out the pictures of a fit, which have tests of their own and take time."""
    from calibration import reporting

    monkeypatch.setattr(reporting, "draw_fit", lambda *_, **__: iter(()))


@pytest.fixture(scope="session")
def browser():
    """One browser for all tests of pages."""
    from tests.reports.explorer.browser import FLAGS, chromium

    sync_api, executable = chromium()
    with sync_api.sync_playwright() as play:
        running = play.chromium.launch(executable_path=executable, args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="session", autouse=True)
def _hidden_fonts():
    """With GAPSIM_TEST_FONTS=hidden, every test runs as on a machine without any font for Chinese."""
    with pytest.MonkeyPatch.context() as patch:
        if os.environ.get("GAPSIM_TEST_FONTS") == "hidden":
            hide_fonts(patch)
        yield


def hide_fonts(patch):
    from matplotlib import font_manager

    patch.setattr("pysd_runner.plots.style.CANDIDATES", ())
    patch.setattr(font_manager, "findSystemFonts", list)


@pytest.fixture
def _fresh_fonts():
    """Forget which fonts were found, before and after."""
    from pysd_runner.plots import style

    def forget():
        for name in ("_chinese_families", "_warn_once", "_has_glyph", "_base_has"):
            getattr(style, name).cache_clear()

    forget()
    yield
    forget()


@pytest.fixture
def no_chinese(monkeypatch, _fresh_fonts):
    """A machine without any font for Chinese."""
    hide_fonts(monkeypatch)


@pytest.fixture(autouse=True)
def behaviour_rules(request, monkeypatch):
    """Apply checks.toml to every run; the marker `unruly` is for tests that break a run on purpose."""
    if request.node.get_closest_marker("unruly"):
        return
    from pysd_runner.checks import check_behaviour
    from pysd_runner.simulation import run as module

    make_run = module.Run

    @functools.wraps(make_run)
    def checked(**parts):
        run = make_run(**parts)
        if parts["provenance"]["model"] == "regional_digital" and not run.failed.any():
            problems = check_behaviour(run, list(applicable(run)))
            assert not problems, "\n".join(item.message for item in problems)
        return run

    monkeypatch.setattr(module, "Run", checked)


@pytest.fixture(scope="session")
def has_chinese():
    """Whether this machine can draw Chinese."""
    from pysd_runner.plots import style

    return len(style.families()) > 1
