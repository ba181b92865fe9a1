"""What the launcher reports and how the process ends for it.

Law: a failure says what is wrong in one line, and in its hint what to do about it.
"""

from core.errors import INCOMPATIBLE_VERSION, INTERNAL, INVALID_CONFIG, TRY_AGAIN_LATER, CNIError

FAILED, USAGE, BAD_CONFIG, NO_PLUGIN, TIMED_OUT = 1, 2, 3, 4, 124  # exit codes
NOT_RUN, NOT_EXECUTABLE, NOT_FOUND = 125, 126, 127  # of run and exec, whose other codes are the command's own

PRIVILEGE = "this needs root: use sudo, or try it in a private fake host with `cniwire lab`"
EXIT_CODES = """\
exit codes:
  0    done
  1    a plugin, the kernel or the state on disk refused; CHECK found differences; STATUS is not ready
  2    wrong usage
  3    a network configuration is missing or wrong
  4    a plugin executable was not found
  124  a plugin did not answer in time
  125  run, exec: cniwire failed before the command ran or while it tore down
  126  run, exec: the command cannot be executed
  127  run, exec: the command was not found
  128+n  ended by signal n
  run and exec otherwise return the exit code of the command."""


class Failure(CNIError):
    """A CNIError of the launcher itself: also carries a hint and the exit code it leads to."""

    status = FAILED

    def __init__(self, msg: str, details: str = "", hint: str = "", code: int = INTERNAL) -> None:
        super().__init__(code, msg, details)
        self.hint = hint


class UsageFailure(Failure):
    """The command line makes no sense, in a way that argparse cannot see."""

    status = USAGE


class ConfigFailure(Failure):
    """A network configuration cannot be used."""

    status = BAD_CONFIG

    def __init__(self, msg: str, details: str = "", hint: str = "", code: int = INVALID_CONFIG) -> None:
        super().__init__(msg, details, hint, code)


class MissingDirectory(ConfigFailure):
    """There is no configuration directory, or it holds no configuration."""


class UnknownNetwork(ConfigFailure):
    """No configuration has the name."""


class MalformedConfig(ConfigFailure):
    """A configuration file cannot be decoded or breaks a rule."""


class PluginMissing(Failure):
    """No executable of that type in the plugin directories."""

    status = NO_PLUGIN


class PluginFailed(Failure):
    """A plugin answered with an error, with rubbish, or not at all."""

    def __init__(self, plugin_type: str, verb: str, error: CNIError, hint: str = "") -> None:
        text = f"plugin {plugin_type} failed ({verb}): {error.msg}"
        super().__init__(text, error.details, hint, error.code)
        self.plugin_type = plugin_type
        self.verb = verb


class TimedOut(Failure):
    """A plugin did not answer before the deadline."""

    status = TIMED_OUT

    def __init__(self, msg: str) -> None:
        hint = "give it more time with --timeout SECONDS, or look at its calls with --verbose"
        super().__init__(msg, hint=hint, code=TRY_AGAIN_LATER)


class Unsupported(Failure):
    """The configuration's version does not have the command."""

    def __init__(self, msg: str) -> None:
        super().__init__(msg, hint='raise "cniVersion" in the configuration', code=INCOMPATIBLE_VERSION)


class Several(Failure):
    """Several failures of a verb that goes on after an error."""

    def __init__(self, failures: list[CNIError]) -> None:
        failures = [one for failure in failures for one in getattr(failure, "failures", [failure])]  # flat
        super().__init__("; ".join(str(failure) for failure in failures), code=failures[0].code)
        self.failures: list[CNIError] = failures
        self.status = max(getattr(failure, "status", FAILED) for failure in failures)


def details(failure: Exception) -> list[str]:
    """The lines of its details."""
    text = getattr(failure, "details", "")
    return text.split("\n") if text else []


def several(failures: list[CNIError]) -> CNIError:
    """One failure as it is, more as Several."""
    return failures[0] if len(failures) == 1 else Several(failures)


class Interrupted(BaseException):
    """A signal asks the launcher to stop; everything begun is undone on the way out."""

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.number = number
