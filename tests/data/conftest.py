from pathlib import Path

import pytest


@pytest.fixture
def shared_data() -> Path:
    folder = Path(__file__).resolve().parents[3] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the downloads are not beside the checkout")
    return folder
