"""What an adapter may say besides an observation, and how it reads the `training` tag."""

from contextlib import contextmanager
from typing import Any, Dict, Iterable, Iterator

VALUES_OF_TRAINING = {"None": None, "False": False, "0": 0, "True": True, "1": 1}


class NotExpressible(Exception):
    """The framework has no way to say this; the message is the reason, one sentence."""


class Refused(Exception):
    """The framework itself raised; carries its exception's type name and message."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.type = type(error).__name__
        self.message = str(error)


@contextmanager
def framework_call() -> Iterator[None]:
    """Mark a call into the framework: an exception raised inside is the framework's refusal.

    Everything outside such a block is the adapter's own code, whose exceptions are its bugs; and a
    module that is not installed is a fault of the environment, wherever it is missed.
    """
    try:
        yield
    except (NotExpressible, Refused, ImportError):
        raise
    except Exception as error:
        raise Refused(error) from error


def training_keyword(tag: str, name: str = "training") -> Dict[str, Any]:
    """Return the keyword arguments for a `training` tag: none at all when it is absent."""
    return {} if tag == "absent" else {name: VALUES_OF_TRAINING[tag]}


def only(supported: Iterable[str], layer: Dict[str, Any], framework: str) -> None:
    """Raise `NotExpressible` for a constructor argument the framework does not have."""
    for name in sorted(set(layer) - set(supported)):
        raise NotExpressible("{} has no argument for `{}`.".format(framework, name))


def renamed(values: Dict[str, Any], names: Dict[str, str]) -> Dict[str, Any]:
    """Return those of the values that have a name of their own, under that name."""
    return {own: values[name] for name, own in names.items() if name in values}
