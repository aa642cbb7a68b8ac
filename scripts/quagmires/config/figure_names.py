"""The names of figures, without what draws them: configs are checked and jobs are planned without matplotlib.

Each name stands for one function, which `@figure` registers (reporting/figures/registry.py).
"""

# The kinds that a config's `figures` may ask for, and what each of them shows.
KINDS = {
    "subsets": "by number of examples, a line for each selection rule",
    "bars": "by recipe",
    "epochs": "by number of epochs",
    "linear_fit": "outcome against Pass@1 after SFT",
    "loss_and_gain": "gain against generalization loss",
}
# Figures of every experiment, beside those its config asks for.
GENERAL = ("predictors", "ranks", "outcomes")
# Figures that are drawn where a table is stored beside the metrics: pass_at_k.parquet, grpo_training.parquet. The value
# is what scripts and figure functions call that table.
OF_TABLES = {"pass_at_k": "curves", "grpo_training": "training"}
