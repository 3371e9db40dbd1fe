"""Every exception that tinyvmaf raises on purpose.

TinyVmafError (message, hint)
├── UsageError             the call is wrong
│   ├── UnknownNameError       no feature, model or option of that name
│   ├── MissingExtraError      an optional package is needed and absent
│   ├── DeviceError            a device that is asked for by name is absent
│   └── BindingError           tensors given to a session do not fit its inputs
│       ├── InputArityError        too few or too many of them
│       ├── InputNameError         no input of that name, or one given twice
│       ├── InputShapeError        wrong number of axes, or wrong lengths
│       └── InputTypeError         no array, or the wrong type of element
├── VideoError             a video cannot be used
│   ├── UnreadableVideoError   missing, empty, corrupt, not a video
│   ├── TruncatedVideoError    ends inside a frame
│   └── MismatchError          the two videos cannot be compared as they are
├── ModelError             a model cannot be used
│   ├── ContractError          its inputs or outputs are not what its kind promises
│   ├── IntegrityError         its bytes are not the ones that are pinned or signed
│   ├── RejectedModelError     the guard refuses it
│   └── RunLimitError          a run passes its time limit, or its sizes pass the budget
├── DataError              a log or sidecar that does not parse, or a file that cannot be written
└── RunError               a run that failed although the call was right

The message states the rule and the actual value, the hint what to do about it. The command line prints both
on one line and exits with `exit_code`.
"""

from __future__ import annotations


class TinyVmafError(Exception):
    """Base of all errors raised on purpose.

    Args:
        message: The rule that was broken and the actual value, one sentence.
        hint: What the caller can do about it, one sentence; may be empty.
    """

    exit_code: int = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """One line: the message, then the hint."""
        return f"{self.message} {self.hint}".strip().replace("\n", " ")


class UsageError(TinyVmafError):
    """The call is wrong: an option, an argument or a combination of them."""


class UnknownNameError(UsageError):
    """A feature, model, option or format name that does not exist."""


class MissingExtraError(UsageError):
    """An optional dependency is needed for this call and is not installed."""


class DeviceError(UsageError):
    """A device that is asked for by name cannot be used on this machine."""


class BindingError(UsageError):
    """Tensors that are given to a session do not fit the inputs of its graph."""


class InputArityError(BindingError):
    """Too few or too many tensors."""


class InputNameError(BindingError):
    """The graph has no input of that name, or one is given twice."""


class InputShapeError(BindingError):
    """A tensor has the wrong number of axes, or an axis of the wrong length."""


class InputTypeError(BindingError):
    """A tensor is no array, or its elements have the wrong type."""


class VideoError(TinyVmafError):
    """A video cannot be used."""


class UnreadableVideoError(VideoError):
    """A video is missing, empty, corrupt, or not a video at all."""


class TruncatedVideoError(VideoError):
    """A video ends in the middle of a frame."""


class MismatchError(VideoError):
    """Two videos cannot be compared as they are; the hint names the option that accepts or mends it."""


class ModelError(TinyVmafError):
    """A model cannot be used."""


class ContractError(ModelError):
    """A model's inputs, outputs or parameters are not what its kind promises."""


class IntegrityError(ModelError):
    """The bytes of a model are not the ones that are pinned or signed."""


class RejectedModelError(ModelError):
    """The guard refuses a model: it names the place in the graph, the rule and the way out."""


class RunLimitError(ModelError):
    """A run passes its time limit, or the sizes that it is given pass the budget of the graph."""


class DataError(TinyVmafError):
    """A log or sidecar does not parse, or a result cannot be written where it was asked for."""


class RunError(TinyVmafError):
    """A run failed although the call was right."""

    exit_code = 1
