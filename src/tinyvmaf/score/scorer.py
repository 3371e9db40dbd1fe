"""A set-up that is used for many pairs: models, features and policy once, then one call per pair."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tinyvmaf.errors import UsageError
from tinyvmaf.features.base import Feature
from tinyvmaf.models.runtime import DnnConfig
from tinyvmaf.score.compare import DEFAULT_MODELS, NamedModel, VideoSource, compare, load_model
from tinyvmaf.score.result import Result

if TYPE_CHECKING:
    from tinyvmaf.video.policy import PairingPolicy

__all__ = ["DnnConfig", "Scorer", "use_tiny_model"]


class Scorer:
    """Scores pair after pair in one way; models are opened once.

    Attributes:
        models: What it scores with.
        tiny_model: The tiny model that `use_tiny_model` attached, None without one.
    """

    def __init__(
        self,
        models: str | NamedModel | Sequence[str | NamedModel] = DEFAULT_MODELS,
        features: str | Feature | Sequence[str | Feature] = (),
        policy: PairingPolicy | None = None,
        threads: int | None = None,
    ) -> None:
        """Load the models.

        Args:
            models: As for `tinyvmaf.score`; may be empty where a tiny model is attached later.
            features: Likewise.
            policy: Likewise.
            threads: Likewise.

        Raises:
            TinyVmafError: A model cannot be loaded.
        """
        several = (models,) if isinstance(models, str | NamedModel) else models
        self.models = tuple(m if isinstance(m, NamedModel) else load_model(m) for m in several)
        self.tiny_model: NamedModel | None = None
        self._features, self._policy, self._threads = features, policy, threads

    def score(self, reference: VideoSource | None, distorted: VideoSource, **options: Any) -> Result:
        """Score a pair.

        Args:
            reference: As for `tinyvmaf.score`.
            distorted: Likewise.
            options: Likewise: raw, subsample, bits, progress, on_start.

        Returns:
            The scores.

        Raises:
            TinyVmafError: See `tinyvmaf.score`.
        """
        models = self.models if self.tiny_model is None else (*self.models, self.tiny_model)
        return compare(
            reference, distorted, models=models, features=self._features, policy=self._policy, threads=self._threads,
            **options,
        )  # fmt: skip


def use_tiny_model(scorer: Scorer, path: str | os.PathLike[str], config: DnnConfig | None = None) -> NamedModel:
    """Attach a tiny model to a scorer: read once, hashed, guarded, opened from these bytes.

    Args:
        scorer: What is to score with it from now on.
        path: Its file, or its id in the registry.
        config: How it runs; all defaults by default.

    Returns:
        The model; its score is the column of its name.

    Raises:
        UsageError: The scorer has a tiny model already.
        TinyVmafError: See `tinyvmaf.load_model`.
    """
    if scorer.tiny_model is not None:
        raise UsageError(f"A scorer has one tiny model, and this one has {scorer.tiny_model.name}.", "Make another.")
    scorer.tiny_model = load_model(path, config=config, fallback_name="vmaf_tiny_model")
    return scorer.tiny_model
