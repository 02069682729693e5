"""Limits of what a file may ask for before anything is computed, so that a slip of the pen does not fill the memory."""

from dataclasses import dataclass

from pysd_runner.engine.errors import InvalidModel

# As much of a name is shown.
_SHOWN = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgets:
    """The most that a model file may ask for.

    Parameters
    ----------
    elements
        Elements of all subscript ranges that the file counts, ``(a1-a100)``, together; and slats of a conveyor.
    equations
        Equations that macros and modules are expanded into.
    name
        Characters of a name.
    seconds
        Predicted time of compiling the model to machine code.
    """

    elements: int = 1_000_000
    equations: int = 100_000
    name: int = 1_000
    seconds: float = 60.0

    def check(self, budget: str, count: float, asking: str) -> None:
        """Refuse what goes beyond a budget.

        Parameters
        ----------
        budget
            Which one.
        count
            How much is asked for.
        asking
            Who asks for it, and of what: the beginning of the message.

        Raises
        ------
        InvalidModel
            If it is too much; the message says how to allow more.
        """
        most = getattr(self, budget)
        if count > most:
            unit = "characters" if budget == "name" else budget
            raise InvalidModel(
                f"{asking} {count:,.0f} {unit}; at most {most:,} are read, unless the model is loaded with "
                f"load_model(path, budgets=Budgets({budget}={count:.0f}))"
            )

    def check_name(self, name: str) -> None:
        """Refuse a name that is too long.

        Raises
        ------
        InvalidModel
            If it is; the message shows its beginning.
        """
        self.check("name", len(name), f"the name {name[:_SHOWN]!r}... has")


DEFAULT = Budgets()
