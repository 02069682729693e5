"""How a search ended, each way with its own sentence."""

from enum import Enum


class Outcome(Enum):
    """How a search ended; the value is the sentence a reader is told."""

    CONVERGED = "The search converged: no step nearby lowers the sum of squares."
    STOPPED_AT_LIMIT = "The search was stopped at its limit of evaluations before it converged; allow more of them."
    NOT_FINITE = "The search met residuals that are not finite, so it could not go on; narrow the bounds."
    NOTHING_TO_MOVE = "There was nothing to move: no series informs any parameter."

    @property
    def is_success(self) -> bool:
        """Whether the point found can be used as an estimate."""
        return self in (Outcome.CONVERGED, Outcome.NOTHING_TO_MOVE)

    @property
    def word(self) -> str:
        """Short form for tables and files: ``"converged"``."""
        return self.name.lower().replace("_", " ")
