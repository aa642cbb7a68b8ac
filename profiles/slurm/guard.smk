# What jobs on SLURM need beside the profile. Without SLURM it changes nothing, but for the first check.

from quagmires.planning import slurm

try:
    slurm.refuse_old_names(
        {
            "set-resources": workflow.resource_settings.overwrite_resources,
            "set-threads": workflow.resource_settings.overwrite_threads,
        }
    )
except UserError as error:
    print(f"error: {error}", file=sys.stderr)
    sys.stderr.flush()
    os._exit(1)

# Before a time limit SLURM signals every process of a job: a shell that died of it would end the job before its command
# has saved. And SLURM may name the GPUs for ROCm too, with which verl refuses to start.
shell.prefix("set -euo pipefail; trap : TERM; unset ROCR_VISIBLE_DEVICES; ")

# Snakemake has imported all executor plugins by now.
SLURM_PLUGIN = sys.modules.get("snakemake_executor_plugin_slurm")
if SLURM_PLUGIN:
    slurm.mend(SLURM_PLUGIN)


def refuse_what_would_hang():
    """Ends the start of a run on SLURM whose jobs would be waited for, or would write, where they must not."""
    if workflow.executor_plugin.name == "slurm":
        try:
            SLURM_PLUGIN.get_min_job_age()
            slurm.refuse_orphans(os.getcwd())
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            raise SystemExit(1)


onstart:
    refuse_what_would_hang()
