"""Types in the reference lead to other sites where these can be asked, and to nothing where they cannot."""

import re
import shutil
import subprocess
import sys
import zlib

import pytest

from tests.documentation.readme import ROOT

pytest.importorskip("sphinx", reason="sphinx is not installed; it comes with the extra `docs`")

MODULE = '''
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

def read(frame: "pd.DataFrame", values: "xr.DataArray | None" = None) -> None:
    """Read.

    Parameters
    ----------
    frame
        A table.
    values
        An array.
    """
'''
SETTINGS = """
import sys
sys.path.insert(0, {folder!r})
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.intersphinx", "crosslinks"]
autodoc_typehints, autodoc_typehints_description_target = "description", "documented_params"
napoleon_attr_annotations = False
intersphinx_mapping = {{"pandas": ("https://pandas.example", "pandas.inv"), "xarray": ("http://127.0.0.1:9", None)}}
intersphinx_timeout = 1
"""


def test_links_to_other_sites_and_a_site_that_cannot_be_reached(tmp_path):
    shutil.copy(ROOT / "docs" / "crosslinks.py", tmp_path)
    (tmp_path / "reading.py").write_text(MODULE)
    (tmp_path / "conf.py").write_text(SETTINGS.format(folder=str(tmp_path)))
    (tmp_path / "index.rst").write_text("Reading\n=======\n\n.. automodule:: reading\n   :members:\n")
    head = "".join(f"# {line}\n" for line in ("Sphinx inventory version 2", "Project: pandas", "Version: 1", "zlib"))
    entry = b"pandas.DataFrame py:class 1 frame.html#$ -\n"
    (tmp_path / "pandas.inv").write_bytes(head.encode() + zlib.compress(entry))
    command = [sys.executable, "-m", "sphinx", "-W", "-q", str(tmp_path), str(tmp_path / "site")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    page = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    links = re.findall(r'class="reference external" href="([^"]+)"', page)
    assert links == ["https://pandas.example/frame.html#pandas.DataFrame"]
    assert "DataArray" in page
