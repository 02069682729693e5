"""Commands for calibration and forecasting, registered through an entry point."""

from typing import TYPE_CHECKING

from calibration.commands import backtest, calibrate, evaluate, forecast

if TYPE_CHECKING:
    import typer


def register(app: "typer.Typer") -> None:
    """Add the commands to the application."""
    first = (calibrate.demo, calibrate.calibrate, evaluate.evaluate, evaluate.evidence)
    for item in (*first, backtest.backtest, forecast.forecast):
        item.add_to(app)
