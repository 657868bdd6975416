"""Who types a command, for the histories."""


def own_name() -> str:
    """The name of the user, at most 64 characters; also where the system knows none."""
    import getpass

    from edge.operation import LONGEST_NAME

    try:
        return getpass.getuser()[:LONGEST_NAME]
    except (OSError, KeyError):
        return "the command line"
