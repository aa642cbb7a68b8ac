"""Which SFT model will be best after RL: metrics, predictors, how good they are, rankings and forecasts."""

# Importing the module registers its predictors, beside those of predictors.py.
from quagmires.prediction import proposed_predictors  # noqa: F401
