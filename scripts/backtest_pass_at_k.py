"""How well do the first samples predict Pass@k at large k? Back-test on graded responses, or on simulated worlds.

python scripts/backtest_pass_at_k.py --grades aime=grades.parquet --from 16 32 --to 64 256 --output backtest.csv
python scripts/backtest_pass_at_k.py --simulate --output simulation.csv
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from quagmires.common.errors import UserError, command_line
from quagmires.common.files import whole_file
from quagmires.evaluation.extrapolation.backtest import WORLDS, backtest, first_samples, simulate, summarise, thinned
from quagmires.evaluation.extrapolation.extrapolate import BOOTSTRAPS, COMBINED
from quagmires.evaluation.pass_at_k import powers_of_two
from quagmires.evaluation.scores import read_grades

COUNTS = ["benchmark", "problem_id", "n", "c"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--grades", nargs="+", metavar="[NAME=]FILE", help="parquet from grade.py: its first samples")
    source.add_argument(
        "--counts",
        nargs="+",
        metavar="[NAME=]FILE",
        help="parquet from score.py: samples drawn at random, order is lost",
    )
    source.add_argument("--simulate", action="store_true", help=f"simulated worlds: {', '.join(WORLDS)}")
    parser.add_argument("--from", type=int, nargs="+", default=[16], dest="firsts", help="samples (default: 16)")
    parser.add_argument("--to", type=int, nargs="+", help="k to predict (default: all powers of two beyond, up to n)")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument("--draws", type=int, default=BOOTSTRAPS, help=f"bootstrap resamples (default: {BOOTSTRAPS})")
    parser.add_argument("--problems", type=int, default=674, help="simulated problems (default: 674)")
    parser.add_argument("--repeats", type=int, default=40, help="simulated sets of problems (default: 40)")
    parser.add_argument("--worlds", nargs="+", choices=list(WORLDS), default=list(WORLDS), help="default: all")
    parser.add_argument("--output", type=Path, required=True, help="CSV")
    options = parser.parse_args()

    table = simulated(options) if options.simulate else measured(options)
    with whole_file(options.output) as temporary:
        table.to_csv(temporary, index=False)


def simulated(options: argparse.Namespace) -> pd.DataFrame:
    """The summary over worlds, printed."""
    ks = options.to or [64, 256]
    results = pd.concat(
        simulate(world, options.firsts, ks, max(ks), options.problems, options.repeats, options.seed, options.draws)
        for world in options.worlds
    )
    summary = summarise(results)
    print(summary.to_string(index=False, float_format="{:.3f}".format, na_rep="-"))
    return summary


def measured(options: argparse.Namespace) -> pd.DataFrame:
    """One back-test per data set and size, printed with the reasons for distrust below."""
    sets = graded(options) if options.grades else counted(options)
    tables = []
    for name, n, c, first, c_first in sets:
        smallest = int(n.min())
        ks = options.to or [k for k in powers_of_two(smallest) if k > first]
        if not ks or max(ks) > smallest or first > smallest:
            raise UserError(
                f"{name}: {smallest} samples per problem cannot test a prediction from {first} to"
                f" {max(ks, default=first)}; choose --from and --to within them"
            )
        tables.append(backtest(n, c, first, c_first, ks, options.seed, options.draws).assign(name=name))
    table = pd.concat(tables, ignore_index=True)
    table.insert(0, "name", table.pop("name"))
    combined = table[table["model"] == COMBINED]
    shown = table.drop(columns="reasons").assign(trusted=combined["trusted"].map({True: "yes", False: "no"}))
    print(shown.to_string(index=False, float_format="{:.4f}".format, na_rep=""))
    for row in combined[~combined["trusted"]].itertuples():
        print(f"do not trust {row.name}, {combined.at[row.Index, 'from']} to {row.k}: {row.reasons}")
    for trusted, rows in combined.groupby("trusted"):
        print(f"{'trusted' if trusted else 'not trusted'}: {len(rows)}, average error {rows['error'].abs().mean():.4f}")
    return table


def graded(options: argparse.Namespace) -> Iterator[tuple[str, np.ndarray, np.ndarray, int, np.ndarray]]:
    """Name, n and c per problem, size, and right samples among the first of that size."""
    for name, path in map(named, options.grades):
        grades = read_grades(path, ["correct"])
        groups = grades.groupby("problem_id", sort=True)["correct"]
        n, c = groups.size().to_numpy(), groups.sum().to_numpy().astype(int)
        for first in options.firsts:
            yield name, n, c, first, first_samples(grades, first).to_numpy().astype(int)


def counted(options: argparse.Namespace) -> Iterator[tuple[str, np.ndarray, np.ndarray, int, np.ndarray]]:
    """The same from counts, benchmark by benchmark."""
    for name, path in map(named, options.counts):
        if not path.is_file() or set(COUNTS) - set(pq.read_schema(path).names):
            raise UserError(f"{path}: no file with columns {', '.join(COUNTS)}; write it with scripts/score.py")
        for benchmark, table in pd.read_parquet(path, columns=COUNTS).groupby("benchmark", sort=False):
            n, c = table["n"].to_numpy(), table["c"].to_numpy()
            for first in options.firsts:
                if first > n.min():
                    raise UserError(f"{name}/{benchmark}: {n.min()} samples per problem; choose a smaller --from")
                generator = np.random.default_rng([options.seed, crc32(benchmark.encode()), first])
                yield f"{name}/{benchmark}", n, c, first, thinned(n, c, first, generator)


def named(argument: str) -> tuple[str, Path]:
    """NAME=FILE, or FILE, whose folder is then its name."""
    name, equals, path = argument.partition("=")
    return (name, Path(path)) if equals else (str(Path(argument).parent), Path(argument))


if __name__ == "__main__":
    command_line(main)
