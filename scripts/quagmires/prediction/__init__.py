"""Which SFT model will be best after RL: metrics, predictors, how good they are, rankings and forecasts."""
