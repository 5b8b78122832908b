"""Which accelerator QEMU gets: KVM only where a guest has really booted with it, software emulation otherwise.

/dev/kvm may exist and still not work (nested, or with a host that filters MSRs): QEMU aborts, or the guest spins.
"""

import os
import signal
import subprocess
from pathlib import Path
from typing import List

from tests.vm.cache import cache_dir

TCG = "tcg"
KVM = "kvm"
# Emulation whose clock counts the guest's instructions: no limit in the guest ends for want of the host's time.
COUNTED = "counted"
PROBE_LIMIT = 10.0
TB_SIZE = 512


def accelerator(kernel: Path) -> str:
    """Return `kvm`, `tcg` or `counted`; KEXEC_INITD_ACCEL decides, else a probe, asked once per boot of this host."""
    wish = os.environ.get("KEXEC_INITD_ACCEL", "auto")
    if wish in (TCG, KVM, COUNTED):
        return wish
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    answer = cache_dir() / ("accelerator-" + boot_id)
    if not answer.exists():
        found = KVM if os.access("/dev/kvm", os.R_OK | os.W_OK) and kvm_boots(kernel) else TCG
        partial = answer.with_suffix(f".{os.getpid()}")
        partial.write_text(found, encoding="ascii")
        partial.replace(answer)
    return answer.read_text(encoding="ascii")


def kvm_boots(kernel: Path) -> bool:
    """Return whether `kernel` gets as far as its panic for want of a root file system, which resets and ends QEMU."""
    argv = [
        "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-accel", KVM, "-cpu", "host",
        "-m", "256", "-serial", "stdio", "-no-reboot", "-kernel", str(kernel), "-append", "console=ttyS0 panic=-1",
    ]
    process = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        output, _ = process.communicate(timeout=PROBE_LIMIT)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        return False
    return process.returncode == 0 and b"Kernel panic - not syncing: VFS" in output


def accel_args(accel: str, deterministic: bool) -> List[str]:
    """Return QEMU's arguments for `accel`; with `deterministic` the guest's clock counts instructions (1 ns each)."""
    if accel == KVM:
        return ["-accel", KVM, "-cpu", "host"]
    # a plain CPU is a tenth cheaper to emulate than `max`; without RDRAND the boot would wait a second for entropy
    cpu = ["-cpu", "qemu64,+rdrand"]
    if deterministic or accel == COUNTED:
        return ["-accel", "tcg", *cpu, "-icount", "shift=0", "-rtc", "clock=vm"]
    return ["-accel", f"tcg,thread=multi,tb-size={TB_SIZE}", *cpu]
