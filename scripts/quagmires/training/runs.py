"""The settings that identify a run, in one typed form: from the config to the training script, the trainer and its
check.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, ValidationError

from quagmires.common.errors import UserError
from quagmires.config.algorithms import DEFAULT
from quagmires.config.schema import Block, RLShared, SFTShared

if TYPE_CHECKING:
    # Expanding a config takes pandas, which the engines' environments need not have.
    from quagmires.config.experiment import Experiment, RLRun, SFTRun


class RunSettings(Block):
    """Settings of a run as `--run` of a training script has them: a JSON object."""

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read `--run`.

        Raises
        ------
        UserError
            a key is missing, unknown, or has a value that cannot be.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "it"
            raise UserError(f"--run: {where}: {first['msg'][0].lower()}{first['msg'][1:]}") from None

    def as_dict(self) -> dict[str, Any]:
        """The settings as they are written.

        A setting that has the value which all runs had before there was a choice is left out, so that finished runs
        stay finished.
        """
        return self.model_dump()


class SFTRunSettings(RunSettings, SFTShared):
    """One SFT run. A ladder has the epochs after which its models are kept, the last of all included."""

    epochs: Annotated[float, Field(gt=0)]
    learning_rate: Annotated[float, Field(gt=0)]
    seed: Annotated[int, Field(ge=0)]
    evaluate_at: tuple[Annotated[int, Field(gt=0)], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        return self.model_dump(mode="json", exclude=None if self.evaluate_at else {"evaluate_at"})


class RLRunSettings(RunSettings, RLShared):
    """One RL run; repetitions of a run differ by their seed."""

    seed: Annotated[int, Field(ge=0)]

    def as_dict(self) -> dict[str, Any]:
        return self.model_dump(exclude={"algorithm"} if self.algorithm == DEFAULT else None)


def sft_settings(run: SFTRun, experiment: Experiment) -> SFTRunSettings:
    """The settings of an SFT run; of a model from the middle of a ladder, those of the ladder."""
    shared = experiment.sft[run.model].model_dump(include=set(SFTShared.model_fields))
    return SFTRunSettings(
        **shared,
        epochs=run.training.epochs,
        learning_rate=run.learning_rate,
        seed=experiment.config.seed,
        evaluate_at=experiment.rungs(run),
    )


def rl_settings(run: RLRun, experiment: Experiment) -> RLRunSettings:
    """The settings of an RL run."""
    shared = experiment.rl[run.sft.model].model_dump(include=set(RLShared.model_fields))
    return RLRunSettings(**shared, seed=experiment.config.seed + run.number - 1)
