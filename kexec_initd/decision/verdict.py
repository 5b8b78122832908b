"""The verdict: what a `reboot` would do now, and into which kernel. `status` and `check` say the same since both ask here."""

from pathlib import Path
from typing import NamedTuple, Optional, Tuple

from kexec_initd.codes import Code, Decision
from kexec_initd.decision.assess import Assessment, Present, assess, with_files_read
from kexec_initd.install.manifest import InstallState, Manifest, read_manifest
from kexec_initd.kexec import stamp
from kexec_initd.settings.reader import Settings
from kexec_initd.state.store import Damaged
from kexec_initd.system.host import Host

NOTHING_INSTALLED = Decision(Code.NOT_INSTALLED, "kexec-initd is not installed: kexec-initd install")


class Verdict(NamedTuple):
    """The decision that a reboot would follow, and what it was `found` by, the files of the entry included.

    `installed` is false, too, where a reboot cannot go through what is left of an installation, which `manifest` has. `loaded` is
    what we have loaded, as far as that can be told.
    """

    decision: Decision
    found: Assessment
    installed: bool
    manifest: Optional[Manifest]
    loaded: Optional[stamp.Loaded]

    @property
    def kernel(self) -> Optional[str]:
        """Return the release of the kernel that would start: of a cold boot by the name of its file; None for unknown."""
        if not self.decision.kexec:
            return self._find_default()[1]
        if self.found.present is Present.FRESH:
            return self.loaded.release if self.loaded else None
        return self.found.release

    @property
    def name(self) -> Optional[str]:
        """Return what would start, as its boot loader names it; None for unknown."""
        return self.decision.reason if self.decision.kexec else self._find_default()[0]

    def _find_default(self) -> Tuple[Optional[str], Optional[str]]:
        """Return title and release of what the boot loader would boot, unless the firmware is to do something first."""
        from kexec_initd.images.consistency import named_release

        menu = self.found.menu
        if menu is None or menu.default is None or self.decision.code is Code.FIRMWARE:
            return None, None
        offered = menu.offered[menu.default]
        return offered.title, named_release(offered.entry.kernel) if offered.entry else None


def judge(host: Host, settings: Settings) -> Verdict:
    """Return the verdict on `host`; reads the kernel and the initrd when a reboot would still have to load them."""
    found = with_files_read(host, assess(host, settings))
    manifest = read_manifest(host.root)
    whole = manifest is not None and manifest.state is InstallState.INSTALLED
    installed = whole and not any(deviation.decides for deviation in found.deviations)
    known = installed or bool(found.deviations)
    loaded = _read_loaded(host.root) if found.present.is_ours else None
    return Verdict(found.decision if known else NOTHING_INSTALLED, found, installed, manifest, loaded)


def _read_loaded(root: Path) -> Optional[stamp.Loaded]:
    """Return what is loaded, as far as that can be told; what else a damaged record means is the decision's to say."""
    try:
        return stamp.read_loaded(root)
    except Damaged:
        return None
