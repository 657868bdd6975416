"""The installer on a machine where nothing is installed yet: `python3 -m edge.setup`."""

import os
import sys
import traceback
from pathlib import Path

from edge.errors import EwasteError
from edge.setup.arguments import parse
from edge.setup.procedure import set_up
from edge.terminal import err


def main() -> int:
    """Parse, carry out, and return the exit code: 0 done, 1 failed, 2 bad input, 3 refused."""
    try:
        set_up(parse(sys.argv[1:]))
    except EwasteError as error:
        err.tell(f"error: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        err.tell("error: interrupted; the same command again goes on")
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else ""
        err.tell(f"error: {where}{error.strerror or error}")
        return 1
    except Exception as error:
        if os.environ.get("EWASTE_TRACEBACK"):
            raise
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        err.tell(f"error: a fault of the program: {error!r} at {where}; please report it")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
