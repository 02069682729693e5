"""What a failure looks like: one block that says what, where and what to do, and an exit code."""

import signal
import traceback
from collections.abc import Callable

from pysd_runner.cli.session import Session
from pysd_runner.cli.streams import STANDARD_OUTPUT, write_line
from pysd_runner.core.errors import GapsimError, Message, joined, of_system
from pysd_runner.core.interruption import listening

BUG, BAD_INPUT = 1, 2
# To this the number of the signal that interrupted is added, as shells do.
SIGNALLED = 128
INTERRUPTED = SIGNALLED + signal.SIGINT


def guarded(session: Session, work: Callable[[], int | None]) -> int:
    """Run a command and turn whatever it raises into an exit code and a message."""
    try:
        with listening() as session.interruption:
            code = work() or 0
        session.close()
    except KeyboardInterrupt as interruption:
        return _report(session, interruption, SIGNALLED + session.interruption.kind, _interrupted(session))
    except GapsimError as error:
        return _report(session, error, error.exit_code, str(error))
    except OSError as error:
        return _report(session, error, BAD_INPUT, _system(error))
    except MemoryError as error:
        return _report(
            session, error, BAD_INPUT, Message("there is not enough memory; ask for fewer draws or scenarios (--draws)")
        )
    except Exception as error:  # noqa: BLE001 - the outermost frame: every bug must end here, not in a traceback
        return _report(session, error, BUG, _bug(error))
    return code


def _report(session: Session, error: BaseException, code: int, message: str) -> int:
    if session.debug:
        write_line("".join(traceback.format_exception(error)).rstrip(), err=True)
    if code > SIGNALLED:
        write_line(session.said(message), err=True)
    else:
        told = joined([Message("error: {said}", said=message), *session.kept], "\n  ")
        write_line(session.said(told), err=True)
    session.close({"kind": type(error).__name__, "message": message, "exit_code": code})
    return code


def _interrupted(session: Session) -> str:
    kept = session.kept or [Message("Nothing had been finished; nothing was written.")]
    return joined([Message("Interrupted."), *kept], "\n  ")


def _system(error: OSError) -> str:
    advice = Message("choose another file or folder, or make room")
    where = str(error.filename or "")
    if where == STANDARD_OUTPUT:
        where, advice = Message("standard output"), Message("send it elsewhere")
    told = joined([of_system(error), advice], "; ")
    return Message("{where}: {said}", where=where, said=told) if where else told


def _bug(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1:]
    place = "".join(f", {frame.filename}, line {frame.lineno}" for frame in last)
    return Message(
        "this is a bug in gapsim: {error}\n  Please report it with the command you gave, what "
        "`gapsim doctor` prints, and what --debug shows.",
        error=f"{type(error).__name__}: {error}{place}",
    )
