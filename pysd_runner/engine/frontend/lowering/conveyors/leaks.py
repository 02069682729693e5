"""What leaks from a conveyor on its way: linearly, a share of what came on, or exponentially, of what is there."""

import numpy as np

from pysd_runner.engine.frontend.lowering.conveyors.frame import ONE, ZERO, Array, Frame, total
from pysd_runner.engine.function_table import operation, time_step
from pysd_runner.engine.ir import Expression


class Leaks:
    """The leaks of one conveyor."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._zones = [self._zone(leak.start, leak.end) for leak in frame.node.leaks]
        self._fractions = [self._fraction(frame.lower(leak.fraction)) for leak in frame.node.leaks]
        # Hidden variables that linear leaks go by: what came on, and the share of it that reaches the leak.
        self.bases: list[tuple[str, Expression]] = []

    def taken(self) -> list[str]:
        """Hidden variables with what each leak takes from every slat in this step."""
        return self._exponential() if self._frame.node.exponential else self._linear()

    def kept(self) -> Expression:
        """What is left of one unit on each slat when it gets there."""
        on_it = self._frame.table(self._frame.place < self._frame.counts)
        return self._kept_exponentially(on_it) if self._frame.node.exponential else self._kept_linearly(on_it)

    def _fraction(self, value: Expression) -> Expression:
        positive = operation("max", value, ZERO)
        return positive if self._frame.node.exponential else operation("min", positive, ONE)

    def _zone(self, start: float, end: float) -> Array:
        """Which slats lie between two shares of the length, counted from where it begins: one or zero each."""
        place, counts = self._frame.place, self._frame.counts
        position = 1.0 - (place + 0.5) / counts
        inside = (position >= start - 1e-9) & (position <= end + 1e-9) & (place < counts)
        return inside.astype(float)

    def _linear(self) -> list[str]:
        """A leak takes its share of what came on, evenly over the slats of its zone."""
        frame, names = self._frame, []
        rest: Expression = frame.over_slats(frame.content)
        for number, (zone, fraction) in enumerate(zip(self._zones, self._fractions, strict=True)):
            basis = frame.named(f"basis {number}")
            self.bases.append((basis, self._reaching(number)))
            per_slat = operation("multiply", fraction, frame.table(zone / np.maximum(zone.sum(axis=0), 1.0)))
            wanted = operation("multiply", per_slat, frame.over_slats(basis))
            taken = operation("min", wanted, operation("max", rest, ZERO))
            names.append(frame.hide(f"leak {number}", frame.when_moving(taken), slats=True))
            rest = operation("subtract", rest, frame.over_slats(names[-1]))
        return names

    def _reaching(self, number: int) -> Expression:
        """Share of what came on that other leaks leave until the zone of a leak begins."""
        place = self._frame.place
        first = np.where(self._zones[number] > 0, place, -1).max(axis=0)
        result: Expression = ONE
        for other, zone in enumerate(self._zones):
            before = (zone * (place > first)).sum(axis=0) / np.maximum(zone.sum(axis=0), 1.0)
            if other == number or not before.any():
                continue
            lost = operation("multiply", self._fractions[other], self._frame.table(before, slats=False))
            result = operation("subtract", result, operation("multiply", lost, self._reaching(other)))
        return result if result is ONE else operation("max", result, ZERO)

    def _exponential(self) -> list[str]:
        """A leak takes a share of what lies on every slat of its zone; together never more than there is."""
        frame, names = self._frame, []
        shares = [
            operation("multiply", operation("multiply", fraction, time_step()), frame.table(zone))
            for zone, fraction in zip(self._zones, self._fractions, strict=True)
        ]
        most = operation("max", total(shares), ONE)
        for number, share in enumerate(shares):
            taken = operation("multiply", frame.over_slats(frame.content), operation("divide", share, most))
            names.append(frame.hide(f"leak {number}", frame.when_moving(taken), slats=True))
        return names

    def _kept_linearly(self, on_it: Expression) -> Expression:
        lost = []
        for number, (zone, fraction) in enumerate(zip(self._zones, self._fractions, strict=True)):
            share = self._frame.table(_passed(zone) / np.maximum(zone.sum(axis=0), 1.0))
            lost.append(operation("multiply", operation("multiply", fraction, self._reaching(number)), share))
        return operation("max", operation("subtract", on_it, total(lost)), ZERO) if lost else on_it

    def _kept_exponentially(self, result: Expression) -> Expression:
        """Slats in the same zones lose the same share each."""
        if not self._zones:
            return result
        combined = np.stack(self._zones, axis=-1)
        for kind in sorted({tuple(row) for row in combined.reshape(-1, len(self._zones)).tolist()}):
            if not any(kind):
                continue
            same = (combined == np.array(kind)).all(axis=-1).astype(float)
            taken = total([fraction for fraction, inside in zip(self._fractions, kind, strict=True) if inside])
            left = operation("max", operation("subtract", ONE, operation("multiply", taken, time_step())), ZERO)
            result = operation("multiply", result, operation("power", left, self._frame.table(_passed(same))))
        return result


def _passed(zone: Array) -> Array:
    """How many slats of a zone lie behind each slat: those that what lies on it has passed."""
    return np.asarray(zone[::-1].cumsum(axis=0)[::-1] - zone)
