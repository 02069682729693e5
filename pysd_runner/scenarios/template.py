"""The scenario file a newcomer starts from."""

from importlib.resources import files


def scenario_template() -> str:
    """Return a commented scenario file that loads as it is.

    Returns
    -------
    str
        YAML.
    """
    return files("pysd_runner.scenarios").joinpath("template.yaml").read_text(encoding="utf-8")
