# What jobs ask of the cluster. Defines no rule.

ON_GPUS = CONFIG.accelerator == "cuda"
# Threads of one engine process: there is one for each GPU.
THREADS_PER_PROCESS = str(CONFIG.cluster.cpus_per_gpu) if ON_GPUS else "{threads}"


def asks(devices, request, cpu_memory_mb):
    """The resources of an engine's job, for `resources: **asks(...)`; `request` turns wildcards into its request,
    and `devices` are its GPUs, if they are known without.

    Without GPUs models are tiny: what counts is memory. What is the same for all models is no function: a plan has
    thousands of jobs, and each function is called for each.
    """
    if not ON_GPUS:
        return {"mem_mb": cpu_memory_mb, "runtime": 60}

    def resource(name):
        return lambda wildcards: getattr(request(wildcards), name)

    return {
        "runtime": resource("minutes"),
        "mem_mb": (
            requests.memory_mb(CONFIG.cluster, devices)
            if devices
            else resource("memory_mb")
        ),
        "gpu": devices or resource("devices"),
        "gpu_model": CONFIG.cluster.gpu_model,
    }


def processors(devices, request):
    """The threads of an engine's job."""
    if not ON_GPUS:
        return 1
    return (
        devices * CONFIG.cluster.cpus_per_gpu
        if devices
        else lambda wildcards: request(wildcards).processors
    )


def devices_of(stage):
    """The GPUs of a stage's jobs, if they are the same for all models; else 0."""
    found = {block.devices for block in getattr(EXPERIMENT, stage).values()}
    return found.pop() if len(found) == 1 else 0
