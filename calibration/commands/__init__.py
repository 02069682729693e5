"""Commands for calibration and forecasting, one module each, registered through an entry point."""

from typing import TYPE_CHECKING

from calibration.commands import backtest, calibrate, demo, evaluate, forecast

if TYPE_CHECKING:
    import typer


def register(app: "typer.Typer") -> None:
    """Add the commands to the application."""
    for item in (demo.demo, calibrate.calibrate, evaluate.evaluate, backtest.backtest, forecast.forecast):
        item.add_to(app)
