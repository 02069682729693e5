"""How a search ended, each way with its own sentence."""

from enum import Enum


class Outcome(Enum):
    """How a search ended; the value is the sentence a reader is told."""

    CONVERGED = "The search converged: no step nearby lowers the sum of squares."
    STOPPED_AT_LIMIT = "The search was stopped at its limit of evaluations before it converged; allow more of them."
    EXPLORED_IN_PART = (
        "The exploration was stopped at its budget; the search from its best point converged: "
        "no step nearby lowers the sum of squares."
    )
    OUT_OF_TIME = "The search was stopped at its time budget before it converged; allow more seconds."
    NOT_FINITE = "The search met residuals that are not finite, so it could not go on; narrow the bounds."
    NOTHING_TO_MOVE = "There was nothing to move: no series informs any parameter."

    @property
    def is_success(self) -> bool:
        """Whether the point found can be used as an estimate."""
        return self in (Outcome.CONVERGED, Outcome.EXPLORED_IN_PART, Outcome.NOTHING_TO_MOVE)

    @property
    def word(self) -> str:
        """Short form for tables and files: ``"converged"``."""
        return self.name.lower().replace("_", " ")
